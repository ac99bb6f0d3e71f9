# Expected values of panel_threshold: every candidate is fitted by least squares, one after another.
# Run in tests/reference:  Rscript R/panel_threshold.R [hansen_invest.csv]
# Needs plm. Without Hansen's data, which are not carried here, only the file of the cigarette panel is written.
suppressPackageStartupMessages(library(plm))
options(digits = 15)

number <- function(v) ifelse(is.na(v), "null", sprintf("%.15g", v))
json <- function(x) {
  if (is.list(x)) return(paste0("{", paste0('"', names(x), '": ', vapply(x, json, ""), collapse = ", "), "}"))
  if (is.character(x)) return(paste0('"', x, '"'))
  if (length(x) == 1) number(x) else paste0("[", paste(number(x), collapse = ", "), "]")
}
write_json <- function(x, name) {
  top <- paste0('  "', names(x), '": ', vapply(x, json, ""), collapse = ",\n")
  writeLines(paste0("{\n", top, "\n}"), file.path("expected", paste0(name, ".json")))
}

# Rows of d are sorted by unit, then time; common and regime are names of regressors.
threshold <- function(d, unit, time, y, common, regime, q, effects, trim, steps, stages, strict = TRUE) {
  N <- length(unique(d[[unit]])); T <- length(unique(d[[time]]))
  within <- function(v) {
    v <- v - ave(v, d[[unit]])
    if (effects == "twoway") v <- v - ave(v, d[[time]])
    v
  }
  scale <- (N - (effects == "twoway")) * (T - 1)
  Y <- within(d[[y]]); Q <- d[[q]]
  number_of <- function(th) rowSums(outer(Q, th, if (strict) ">=" else ">")) + 0
  design <- function(th) {
    k <- if (length(th)) number_of(th) else rep(0, length(Q))
    X <- NULL
    for (name in common) X <- cbind(X, within(d[[name]]))
    labels <- common
    for (j in 0:length(th)) for (name in regime) {
      X <- cbind(X, within(d[[name]] * (k == j))); labels <- c(labels, paste0(name, "_regime", j + 1))
    }
    colnames(X) <- labels
    X
  }
  ssr <- function(th) sum(lm.fit(design(th), Y)$residuals^2)
  v <- sort(unique(Q)); s <- trim + (0:floor((1 - 2 * trim) * steps + 1e-9)) / steps
  grid <- v[floor(round(s * length(v), 9))]; n <- length(grid); spared <- trim * steps
  search <- function(fixed) {
    ok <- rep(TRUE, n)
    for (f in fixed) { below <- sum(grid < f); i <- seq_len(n); ok <- ok & !(i < below + spared & i >= below - spared) & grid != f }
    g <- unique(grid[ok]); S <- vapply(g, function(z) ssr(c(fixed, z)), 0); best <- which.min(S)
    lr <- (S / S[best] - 1) * scale
    list(threshold = g[best], ssr = S[best], ci95 = range(g[lr < -2 * log(1 - sqrt(0.95))]), candidates = length(g), lr_mean = mean(lr))
  }
  fit <- function(th) {
    X <- design(th); b <- lm.fit(X, Y); e <- b$residuals; XXi <- solve(crossprod(X)); K <- ncol(X)
    raw <- data.frame(d[[unit]], d[[time]], Y, X); names(raw) <- c("unit", "time", "Y", colnames(X))
    m <- plm(as.formula(paste("Y ~", paste(colnames(X), collapse = "+"))), raw, index = c("unit", "time"), model = "within")
    list(coef = as.list(b$coefficients), ssr = sum(e^2), se_classical = as.list(sqrt(diag(XXi) * sum(e^2) / (scale - K))),
         se_robust = as.list(sqrt(diag(XXi %*% crossprod(X * e) %*% XXi))),
         se_clustered_HC0 = as.list(sqrt(diag(vcovHC(m, method = "arellano", type = "HC0", cluster = "group")))),
         n_regime = as.integer(table(factor(number_of(th), levels = 0:length(th)))))
  }
  first <- search(NULL); S0 <- ssr(NULL)
  o <- list(scale = scale, ssr_no_threshold = S0, single = c(list(stage = first, F = (S0 - first$ssr) / first$ssr * scale), fit(first$threshold)))
  if (stages > 1) {
    second <- search(first$threshold); refined <- search(second$threshold); pair <- sort(c(second$threshold, refined$threshold))
    o$double <- c(list(second = second, refined = refined, F = (first$ssr - second$ssr) / second$ssr * scale), fit(pair))
  }
  if (stages > 2) {
    third <- search(pair); S2 <- ssr(pair)
    o$triple <- c(list(third = third, F = (S2 - third$ssr) / third$ssr * scale), fit(sort(c(pair, third$threshold))))
  }
  o
}

rules <- paste("regimes: lower strictly below the threshold unless the name says otherwise; grid: sorted distinct values v, v[floor(s m)];",
  "F = (S0 - S1) / S1 * scale, scale = N(T-1), with two-way effects (N-1)(T-1); confidence set: LR < -2 log(1 - sqrt(0.95));",
  "later stages leave out trim * steps ranks around a fixed threshold; se_clustered_HC0: plm, arellano")
cigar <- read.csv("data/cigar.csv"); cigar <- cigar[order(cigar$state, cigar$year), ]
run <- function(...) threshold(cigar, "state", "year", ...)
write_json(list(source = "R, least squares for every candidate; plm for clustered errors", data = "cigar", conventions = rules,
  entity = run("logc", "logy", "logp", "ndi", "entity", 0.05, 400, 3),
  twoway = run("logc", "logy", "logp", "ndi", "twoway", 0.05, 400, 3),
  two_regressors = run("logc", character(0), c("logp", "logy"), "logy", "entity", 0.1, 100, 2),
  lower_regime_includes_threshold = run("logc", "logy", "logp", "cpi", "entity", 0.05, 400, 2, strict = FALSE)), "threshold_cigar")

path <- commandArgs(trailingOnly = TRUE)
if (length(path)) {
  h <- read.csv(path[1]); lag <- function(v) ave(v, h$firm, FUN = function(z) c(NA, head(z, -1)))
  h <- data.frame(firm = h$firm, year = h$year, inva = h$inva, q = lag(h$q), debt = lag(h$debt), cf = lag(h$cf))
  h$q2 <- h$q^2; h$q3 <- h$q^3; h$q_debt <- h$q * h$debt; h <- h[!is.na(h$q), ]
  common <- c("q", "q2", "q3", "debt", "q_debt")
  write_json(list(source = "R, least squares for every candidate; plm for clustered errors", data = "hansen_invest", conventions = rules,
    debt = threshold(h, "firm", "year", "inva", common, "cf", "debt", "entity", 0.01, 400, 3),
    q = threshold(h, "firm", "year", "inva", common, "cf", "q", "entity", 0.01, 400, 2)), "threshold_hansen")
}
