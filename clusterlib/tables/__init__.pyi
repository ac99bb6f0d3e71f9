from ._models import coefficient_records as coefficient_records
from ._models import regression_table as regression_table
from ._three_line import three_line_table as three_line_table
from ._three_line import three_line_table_latex as three_line_table_latex
