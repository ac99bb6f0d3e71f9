# Difference-in-differences on Produc (48 states, 1970-1986) with dates dealt out by the states' order: every fourth state
# is treated from 1976, 1979, 1982 or never. Dummy-variable regressions with errors by cluster from sandwich (no
# small-sample factor), the two-way within model of plm, and group-time effects and the Goodman-Bacon decomposition in
# loops.
# Run in tests/reference:  Rscript R/did_produc.R
suppressPackageStartupMessages({library(plm); library(sandwich)})
options(digits = 15)

number <- function(v) ifelse(is.na(v), "null", sprintf("%.15g", v))
json <- function(x) {
  if (is.list(x)) return(paste0("{", paste0('"', names(x), '": ', vapply(x, json, ""), collapse = ", "), "}"))
  if (length(x) == 1) number(x) else paste0("[", paste(number(x), collapse = ", "), "]")
}
named <- function(v) as.list(v)

d <- read.csv("data/produc.csv")
d <- d[order(d$state, d$year), ]
states <- sort(unique(d$state))
first <- c(1976, 1979, 1982, Inf)[(seq_along(states) - 1) %% 4 + 1]
names(first) <- states
d$first <- first[d$state]
d$y <- log(d$gsp)
d$treated <- as.numeric(d$year >= d$first)

regress <- function(formula, wanted) {
  m <- lm(formula, d)
  V <- vcovCL(m, cluster = d$state, type = "HC0", cadjust = FALSE)
  b <- coef(m)[wanted]
  list(m = m, b = b, V = V[wanted, wanted, drop = FALSE])
}
static <- regress(y ~ treated + unemp + factor(state) + factor(year), c("treated", "unemp"))
within <- plm(y ~ treated + unemp, pdata.frame(d[, c("state", "year", "y", "treated", "unemp")], index = c("state", "year")),
              model = "within", effect = "twoways")

e <- ifelse(is.finite(d$first), pmin(pmax(d$year - d$first, -4), 3), -1)
d$e <- relevel(factor(e), ref = "-1")
times <- c(-4, -3, -2, 0, 1, 2, 3)
study <- regress(y ~ e + factor(state) + factor(year), paste0("e", times))
leads <- paste0("e", c(-4, -3, -2))
wald <- drop(study$b[leads] %*% solve(study$V[leads, leads]) %*% study$b[leads])
# An unbalanced panel: rows left out by a rule.
all <- d
d <- d[(as.integer(factor(d$state)) * 7 + d$year) %% 11 != 0, ]
unbalanced <- regress(y ~ treated + unemp + factor(state) + factor(year), c("treated", "unemp"))
rows_unbalanced <- nrow(d)
d <- all

cohorts <- c(1976, 1979, 1982)
mean_of <- function(g, t) mean(d$y[d$first == g & d$year == t])
att <- list()
for (g in cohorts) for (t in 1971:1986) {
  base <- if (t >= g) g - 1 else t - 1
  att[[paste(g, t)]] <- (mean_of(g, t) - mean_of(g, base)) - (mean_of(Inf, t) - mean_of(Inf, base))
}
after <- sapply(names(att), function(k) { v <- as.numeric(strsplit(k, " ")[[1]]); v[2] >= v[1] })
overall <- mean(unlist(att)[after])  # cohorts have the same size

# Goodman-Bacon, theorem 1: two-by-two regressions on subsamples. A weight is the squared share of the subsample times the
# variance of demeaned treatment in it, over that variance in the whole sample.
pairs <- list()
compare <- function(sub, key) {
  m <- lm(y ~ treated + factor(state) + factor(year), sub)
  r <- residuals(lm(treated ~ factor(state) + factor(year), sub))
  pairs[[key]] <<- c(coef(m)[["treated"]], (nrow(sub) / nrow(d))^2 * mean(r^2))
}
for (g in cohorts) compare(d[d$first %in% c(g, Inf), ], paste(g, "Inf"))
for (g in cohorts) for (h in cohorts) if (g < h) {
  compare(d[d$first %in% c(g, h) & d$year < h, ], paste(g, h))
  compare(d[d$first %in% c(g, h) & d$year >= g, ], paste(h, g))
}
total <- mean(residuals(lm(treated ~ factor(state) + factor(year), d))^2)
bacon <- lapply(pairs, function(p) c(p[1], p[2] / total))

out <- list(
  static_coef = named(static$b), static_se_hc0 = named(sqrt(diag(static$V))),
  plm_coef = named(coef(within)), plm_se_hc0 = named(sqrt(diag(vcovHC(within, method = "arellano", type = "HC0")))),
  unbalanced_rows = rows_unbalanced, unbalanced_coef = named(unbalanced$b),
  unbalanced_se_hc0 = named(sqrt(diag(unbalanced$V))),
  event_time = times, event_coef = unname(study$b), event_se_hc0 = unname(sqrt(diag(study$V))), event_wald_hc0 = wald,
  att = att, overall = overall, twfe = unname(coef(lm(y ~ treated + factor(state) + factor(year), d))["treated"]),
  bacon = bacon
)
top <- paste0('  "', names(out), '": ', vapply(out, json, ""), collapse = ",\n")
writeLines(paste0("{\n", top, "\n}"), "expected/did_produc.json")
