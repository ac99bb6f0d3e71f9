# Expected values of growth regressions, dispersion and densities on the Produc panel.
# Run in tests/reference:  Rscript R/inequality_convergence.R
# Needs plm, sandwich, spdep and spatialreg.
suppressPackageStartupMessages({ library(plm); library(sandwich); library(spdep); library(spatialreg) })
options(digits = 15)

json <- function(x) {
  if (is.list(x)) return(paste0("{", paste0('"', names(x), '": ', vapply(x, json, ""), collapse = ", "), "}"))
  if (is.character(x)) return(paste0('"', x, '"'))
  number <- sprintf("%.15g", x)
  if (length(x) == 1) number else paste0("[", paste(number, collapse = ", "), "]")
}
named <- function(x, names = base::names(x)) as.list(setNames(as.numeric(x), names))

panel <- read.csv(file.path("data", "produc.csv"))
panel <- panel[order(panel$state, panel$year), ]
panel$log_prod <- log(panel$gsp / panel$emp)

# Growth over `step` years, per year, with the level and a control at its beginning.
growth_frame <- function(step) {
  kept <- panel[panel$year %in% seq(min(panel$year), max(panel$year), by = step), ]
  before <- function(x) ave(x, kept$state, FUN = function(v) c(NA, head(v, -1)))
  kept$log_initial <- before(kept$log_prod)
  kept$unemp <- before(kept$unemp)
  kept$growth <- (kept$log_prod - kept$log_initial) / step
  pdata.frame(kept[!is.na(kept$log_initial), ], index = c("state", "year"))
}

regression <- function(formula, frame, effect) {
  fit <- if (effect == "none") plm(formula, frame, model = "pooling")
         else plm(formula, frame, model = "within", effect = effect)
  list(coef = named(coef(fit)), se_classical = named(sqrt(diag(vcov(fit)))),
       se_cluster_HC0 = named(sqrt(diag(vcovHC(fit, method = "arellano", type = "HC0", cluster = "group")))),
       nobs = nobs(fit))
}

result <- list(source = paste("R", getRversion(), "plm", packageVersion("plm"), "sandwich", packageVersion("sandwich")),
               variable = "gsp / emp", growth = "log difference over the interval, per year")
for (step in c(1, 4)) {
  frame <- growth_frame(step)
  result[[paste0("twoway_", step)]] <- regression(growth ~ log_initial, frame, "twoways")
  result[[paste0("twoway_control_", step)]] <- regression(growth ~ log_initial + unemp, frame, "twoways")
  result[[paste0("entity_", step)]] <- regression(growth ~ log_initial, frame, "individual")
  result[[paste0("none_", step)]] <- regression(growth ~ log_initial, frame, "none")
}

first <- panel[panel$year == 1970, ]
last <- panel[panel$year == 1986, ]
cross <- lm(I((last$log_prod - first$log_prod) / 16) ~ first$log_prod + first$unemp)
terms <- c("const", "log_initial", "unemp")
result$cross_section_control <- list(
  coef = named(coef(cross), terms), se_classical = named(sqrt(diag(vcov(cross))), terms),
  se_HC1 = named(sqrt(diag(vcovHC(cross, type = "HC1"))), terms))

# Spatial lag and Durbin model of the cross-section; each state has the two before and after it in the alphabet as
# neighbours, in a ring.
n <- nrow(first)
ring <- matrix(0, n, n)
for (i in seq_len(n)) ring[i, (i + c(-2, -1, 1, 2) - 1) %% n + 1] <- 1
weights <- nb2listw(mat2listw(ring)$neighbours, style = "W")
growth <- (last$log_prod - first$log_prod) / 16
log_initial <- first$log_prod
for (durbin in c(FALSE, TRUE)) {
  fit <- lagsarlm(growth ~ log_initial, listw = weights, Durbin = durbin, method = "eigen", tol.solve = 1e-20,
                  control = list(tol.opt = 1e-14))
  terms <- c("const", "log_initial", if (durbin) "W_log_initial")
  result[[if (durbin) "spatial_durbin" else "spatial_lag"]] <- list(
    coef = named(coef(fit)[-1], terms), se = named(fit$rest.se, terms), rho = unname(fit$rho),
    rho_se = unname(fit$rho.se), log_likelihood = as.numeric(logLik(fit)))
}

# Pitman's and Morgan's test is the test of a correlation.
test <- cor.test(last$log_prod + first$log_prod, last$log_prod - first$log_prod)
result$pitman_morgan <- list(ratio = var(last$log_prod) / var(first$log_prod),
                             statistic = unname(test$statistic), p_value = test$p.value)

spread <- tapply(panel$log_prod, panel$year, sd)
year <- sort(unique(panel$year))
trend <- lm(spread ~ year)
newey_west <- NeweyWest(trend, lag = 2, prewhite = FALSE, adjust = TRUE)
result$sigma_trend <- list(slope = unname(coef(trend)[2]), lags = 2, se_newey_west = sqrt(newey_west[2, 2]))

x <- exp(last$log_prod)
at <- seq(25, 55, by = 5)
result$density_1986 <- list(at = at, bandwidth = 2, density = sapply(at, function(a) mean(dnorm(a, x, 2))),
                            bandwidth_scott = length(x)^(-1 / 5) * sd(x))

top <- paste0('  "', names(result), '": ', vapply(result, json, ""), collapse = ",\n")
writeLines(paste0("{\n", top, "\n}"), file.path("expected", "convergence_produc_panel.json"))
