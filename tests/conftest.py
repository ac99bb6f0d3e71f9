"""Fixtures shared by the tests: the project's built data, and throw-away projects that tests may damage."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from chromium import CHROMIUM

from clusterlib.core.locks import waiting_lock
from clusterlib.paths import ROOT_VARIABLE, Project, get_project

REAL = get_project()
# The files that take longest, which begin first so that no worker is left with one when the others are done. Those that
# run many notebooks, several at a time, alternate with those that mostly wait for processes.
LONGEST = (
    "test_notebooks", "test_run_cluster", "test_fourth_region", "test_run_faults", "test_readme", "test_run",
    "test_raw_errors", "test_run_warm", "test_environment", "test_fuzz_files", "test_browser", "test_data",
    "test_package",
)  # fmt: skip
# The layers, by file or test: `make check` leaves out both, `make test` the slow ones. Slow are whole runs, clusters
# and kernels that are killed, the documentation, every way to damage a file, and simulations. Lengthy is what takes
# some seconds as a whole, and what executes notebooks or opens a browser.
SLOW = {
    "test_docs", "test_environment", "test_fourth_region", "test_fuzz_files", "test_lab", "test_package",
    "test_raw_errors", "test_readme", "test_run_cluster", "test_run_faults", "test_run_warm",
    "test_a_cell_may_leave_a_picture_after_printing_too_much_and_replace_it_as_often_as_it_likes",
    "test_a_cell_that_leaves_or_fails_in_its_own_way_fails_its_notebook_wherever_it_stands",
    "test_a_cell_that_shows_or_says_too_much_is_stopped_and_named_and_little_of_it_is_kept",
    "test_a_messy_sheet_becomes_a_page_of_a_named_run_that_only_its_own_figures_make_stale",
    "test_a_missing_output_or_other_data_make_a_notebook_run_again",
    "test_a_named_run_is_kept_apart_and_compared_with_the_default_one",
    "test_a_new_notebook_runs_as_it_stands_and_never_overwrites",
    "test_doctor_finds_everything_in_order_here_and_says_what_is_not",
    "test_estimates_have_the_coverage_and_the_test_the_size_that_they_claim",
    "test_few_units_and_years_do_not_draw_the_estimates_toward_nil",
    "test_intervals_cover_after_multiple_imputation_and_not_after_a_line",
    "test_intervals_cover_an_effect_that_is_anticipated_and_draws_agree_with_them",
    "test_intervals_of_gaps_hold_nil_as_often_as_they_say_for_a_single_member",
    "test_joint_test_before_treatment_keeps_its_level_and_finds_a_trend",
    "test_lm_tests_reject_at_their_level_without_dependence_and_find_the_right_kind_of_it",
    "test_nothing_that_leaves_the_machine_tells_where_it_was_made", "test_of_two_processes_that_need_it_one_computes",
    "test_one_raw_value_changes_what_the_prose_says_of_it_and_nothing_else",
    "test_p_values_by_units_keep_their_level_where_years_depend_on_each_other",
    "test_permutation_p_is_the_rank_of_the_ratio_and_does_not_reject_too_often",
    "test_possible_effects_are_the_ends_of_a_linear_programme", "test_status_and_doctor_write_nothing",
    "test_the_auxiliary_test_keeps_its_size_under_unequal_variances_and_finds_related_effects",
    "test_the_interval_of_a_residual_holds_nil_as_often_as_it_says",
    "test_the_joint_test_keeps_its_level_and_finds_an_effect_in_simulated_panels",
    "test_the_relative_interval_covers_a_trend_as_large_as_the_bound_allows",
    "test_the_test_of_a_dispersion_that_stays_keeps_its_level",
    "test_what_a_cell_prints_is_bounded_and_says_how_much_was_left_out",
    "test_whatever_the_verdicts_are_the_report_says_no_other",
    "test_without_inefficiency_half_of_the_samples_are_least_squares_and_few_reject",
    "test_wrong_raw_data_end_the_command_with_file_and_line",
}  # fmt: skip
LENGTHY = {
    "test_agglomeration", "test_agglomeration_inputs", "test_atlas", "test_boundaries", "test_city_output",
    "test_composite", "test_composite_inputs", "test_composite_methods", "test_core_multiple", "test_crosswalk",
    "test_data", "test_data_envelopment", "test_diagnosis_border", "test_diagnosis_inputs", "test_did",
    "test_did_inputs", "test_did_sensitivity", "test_did_staggered", "test_did_synthetic", "test_efficiency_inputs",
    "test_figures_image", "test_figures_inputs", "test_figures_language", "test_figures_maps", "test_import",
    "test_imports", "test_inequality_convergence", "test_inequality_dagum", "test_inequality_inputs",
    "test_maps_inputs", "test_missing", "test_own", "test_own_indicator", "test_panel_inputs", "test_panel_instruments",
    "test_panel_mediation", "test_panel_threshold", "test_paper", "test_report_prose", "test_report_render", "test_run",
    "test_scenario", "test_scenario_borders", "test_scenario_cases", "test_scenario_inputs", "test_sheet_checks",
    "test_sheets", "test_site", "test_spatial_autocorrelation", "test_spatial_dynamics", "test_spatial_figures",
    "test_spatial_inputs", "test_spatial_panel_jacobians", "test_spatial_panel_probabilities", "test_specialisation",
    "test_specification_curve", "test_stochastic_frontier", "test_study_architecture", "test_study_design",
    "test_study_memory", "test_trace", "test_weights",
}  # fmt: skip
# The marks and fixtures of what executes notebooks or opens a browser.
RUNNING = {"notebooks", "browser", "executed"}


def pytest_configure(config: pytest.Config) -> None:
    """Build the processed data once, before workers start that would each build them."""
    if not hasattr(config, "workerinput"):
        from clusterlib.data._processed import build

        build(REAL)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even load the files of a layer that is left out."""
    asked = config.option.markexpr
    left_out = (SLOW if "not slow" in asked else set()) | (LENGTHY if "not lengthy" in asked else set())
    return True if collection_path.stem in left_out else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the layers, and put the files that take longest first.

    With ``--no-loadscope-reorder`` workers take them in this order.
    """
    for item in items:
        names = {item.path.stem, getattr(item, "originalname", item.name)}
        if names & SLOW:
            item.add_marker("slow")
        elif names & LENGTHY or RUNNING & {*item.keywords, *getattr(item, "fixturenames", ())}:
            item.add_marker("lengthy")
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def pytest_collection_finish() -> None:
    """Let collections of garbage pass over what importing a thousand modules has made, which stays."""
    gc.freeze()


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The real data and notebooks after ``clusterlib run``, every notebook for every region; to be read only.

    One worker runs them for all: nothing else takes as long.
    """
    base = tmp_path_factory.getbasetemp()
    project = Project((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "executed")
    project.root.mkdir(exist_ok=True)
    with waiting_lock(project.root / "lock", tell=False):
        # There when the run is over, whatever came of it, and so not waited for in vain.
        finished = project.root / "finished"
        if not finished.exists():
            for name in ("data", "notebooks", "report"):
                (project.root / name).symlink_to(REAL.root / name)
            command = [str(Path(sys.executable).with_name("clusterlib")), "run"]
            done = subprocess.run(
                command, env={**os.environ, ROOT_VARIABLE: str(project.root)}, capture_output=True, text=True
            )
            finished.write_text(f"{done.returncode}\n{done.stdout}\n{done.stderr}", encoding="utf-8")
    return project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the real raw and processed data, its own reports and no notebooks; data must not be changed."""
    (tmp_path / "data").symlink_to(REAL.root / "data")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Project(tmp_path)


@pytest.fixture
def own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the real raw and processed data and no notebooks, whose imported indicators are its own."""
    for part in (REAL.raw, REAL.study, REAL.processed):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / part.name).symlink_to(part)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Project(tmp_path)


@pytest.fixture
def raw_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a copy of the raw tables that a test may damage, and nothing built."""
    for part in (REAL.raw, REAL.study):
        shutil.copytree(part, tmp_path / "data" / part.name)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Project(tmp_path)


@pytest.fixture
def built_project(raw_project: Project) -> Project:
    """A project with copies of the raw tables and of the data built from them."""
    shutil.copytree(REAL.processed, raw_project.processed, ignore=shutil.ignore_patterns(".memory"))
    return raw_project


@pytest.fixture
def figure_style():
    """The project's style of figures for one test; what it sets does not stay."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    from clusterlib import figures

    plt.switch_backend("agg")
    with mpl.rc_context():
        figures.use_style()
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "Chromium is needed here: install the package chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()
