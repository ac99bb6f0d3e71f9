# Spatial autocorrelation of the Columbus data from spdep: with contiguity weights (binary and row-standardised) for CRIME
# and INC, and with weights that are neither (inverse distances between neighbours).
# Run in tests/reference:  Rscript R/esda_columbus.R
suppressPackageStartupMessages(library(spdep))
options(digits = 15)

number <- function(v) ifelse(is.na(v), "null", sprintf("%.15g", v))
json <- function(x) {
  if (is.list(x)) return(paste0("{", paste0('"', names(x), '": ', vapply(x, json, ""), collapse = ", "), "}"))
  value <- if (is.character(x)) paste0('"', x, '"') else number(x)
  if (length(x) == 1) value else paste0("[", paste(value, collapse = ", "), "]")
}
write_json <- function(x, name) {
  top <- paste0('  "', names(x), '": ', vapply(x, json, ""), collapse = ",\n")
  writeLines(paste0("{\n", top, "\n}"), file.path("expected", paste0(name, ".json")))
}
test <- function(t) list(
  estimate = as.numeric(t$estimate), statistic = as.numeric(t$statistic), p_value = as.numeric(t$p.value),
  alternative = t$alternative
)

columbus <- read.csv("data/columbus.csv")
binary <- as.matrix(read.csv("data/columbus_W_binary.csv", row.names = 1, check.names = FALSE))
neighbours <- mat2listw(binary, style = "B")$neighbours
rows <- nb2listw(neighbours, style = "W")
ones <- nb2listw(neighbours, style = "B")
source_note <- paste("spdep", packageVersion("spdep"))

for (name in c("CRIME", "INC")) {
  x <- columbus[[name]]
  total <- localmoran(x, rows, alternative = "two.sided", conditional = FALSE)
  conditional <- localmoran(x, rows, alternative = "two.sided", conditional = TRUE)
  quadrant <- attr(total, "quadr")
  write_json(list(
    source = source_note, variable = name, n = length(x), weights = "row-standardised from the binary csv",
    moran_randomisation_two_sided = test(moran.test(x, rows, alternative = "two.sided")),
    moran_normality_two_sided = test(moran.test(x, rows, randomisation = FALSE, alternative = "two.sided")),
    moran_randomisation_greater = test(moran.test(x, rows)),
    moran_binaryW_randomisation_two_sided = test(moran.test(x, ones, alternative = "two.sided")),
    globalG_binary_two_sided = test(globalG.test(x, ones, alternative = "two.sided")),
    local_moran_I = total[, 1],
    local_moran_total_E = total[, 2], local_moran_total_Var = total[, 3],
    local_moran_total_Z = total[, 4], local_moran_total_p_two_sided = total[, 5],
    local_moran_conditional_E = conditional[, 2], local_moran_conditional_Var = conditional[, 3],
    local_moran_conditional_Z = conditional[, 4], local_moran_conditional_p_two_sided = conditional[, 5],
    quadrant_mean = as.character(quadrant$mean), quadrant_pysal = as.character(quadrant$pysal),
    localG_binary_Z = as.numeric(localG(x, ones)),
    localGstar_binary_Z = as.numeric(localG(x, nb2listw(include.self(neighbours), style = "B"))),
    note = "local Moran: m2 = sum(z^2) / n. moran.test estimates: I, its expectation and variance."
  ), paste0("esda_columbus_", name))
}

# General weights. A star adds each unit to its own neighbours, with weight one.
weights <- lapply(nbdists(neighbours, as.matrix(columbus[, c("X", "Y")])), function(d) 1 / d)
general <- nb2listw(neighbours, glist = weights, style = "B")
starred <- include.self(neighbours)
own <- lapply(seq_along(starred), function(i) {
  w <- rep(1, length(starred[[i]]))
  w[starred[[i]] != i] <- weights[[i]]
  w
})
x <- columbus$HOVAL
local <- localmoran(x, general, conditional = TRUE, alternative = "two.sided")
write_json(list(
  source = source_note, variable = "HOVAL", n = length(x), weights = "1 / distance between neighbours, not standardised",
  moran_randomisation_two_sided = test(moran.test(x, general, alternative = "two.sided")),
  moran_normality_two_sided = test(moran.test(x, general, randomisation = FALSE, alternative = "two.sided")),
  moran_standardised_less = test(moran.test(x, nb2listw(neighbours, glist = weights, style = "W"), alternative = "less")),
  local_moran_I = local[, 1], local_moran_conditional_E = local[, 2], local_moran_conditional_Var = local[, 3],
  local_moran_conditional_Z = local[, 4], local_moran_conditional_p_two_sided = local[, 5],
  localG_Z = as.numeric(localG(x, general)),
  localGstar_Z = as.numeric(localG(x, nb2listw(starred, glist = own, style = "B")))
), "esda_columbus_general")
