# Expected values of spatial models from spatialreg and spdep, on data that may be carried: the 48 states of Produc with
# the list of their common borders, stacked over time with block-diagonal weights, and Columbus.
# Fixed effects are dummy variables here, so no formula for taking them out is shared with the library.
# Run in tests/reference:  Rscript R/spatial_panel_states.R
suppressPackageStartupMessages({library(spdep); library(spatialreg)})
options(digits = 15, warn = 1)
invisible(set.ZeroPolicyOption(TRUE))

json <- function(x, depth = 1) {
  gap <- strrep("  ", depth)
  if (is.null(x)) return("null")
  if (is.list(x)) {
    entries <- paste0(gap, '"', names(x), '": ', vapply(x, json, "", depth = depth + 1))
    return(paste0("{\n", paste(entries, collapse = ",\n"), "\n", strrep("  ", depth - 1), "}"))
  }
  text <- if (is.character(x)) paste0('"', x, '"') else ifelse(is.na(x), "null", sprintf("%.15g", x))
  if (length(x) == 1) text else paste0("[", paste(text, collapse = ", "), "]")
}

produc <- read.csv("data/produc.csv")
states <- unique(produc$state)
borders <- read.csv("data/us_states_borders.csv")
B <- matrix(0, length(states), length(states), dimnames = list(states, states))
B[cbind(borders$state, borders$neighbour)] <- 1
B <- B + t(B)
years <- unique(produc$year)
listw_of <- function(binary, style) {
  nb2listw(mat2listw(binary, style = "B")$neighbours, style = style, zero.policy = TRUE)
}

D <- produc[order(produc$year, match(produc$state, states)), ]
D <- data.frame(state = factor(D$state), year = factor(D$year), lgsp = log(D$gsp), lpcap = log(D$pcap), lpc = log(D$pc),
                lemp = log(D$emp), unemp = D$unemp)
stack <- listw_of(kronecker(diag(length(years)), B), "W")
x <- c("lpcap", "lpc", "lemp", "unemp")
tight <- list(tol.opt = 1e-12)
tight_both <- list(opt_control = list(rel.tol = 1e-13, x.tol = 1e-10))

pick <- function(coef, se) {
  keep <- grepl("^(I\\(x - lambda \\* WX\\))?(lag\\.)?(lpcap|lpc|lemp|unemp|INC|HOVAL|\\(Intercept\\))$", names(se))
  clean <- function(n) sub("\\(Intercept\\)", "const", sub("lag\\.", "W_", sub("^I\\(x - lambda \\* WX\\)", "", n)))
  values <- as.list(as.numeric(coef[keep])); names(values) <- clean(names(se)[keep])
  errors <- as.list(as.numeric(se[keep])); names(errors) <- clean(names(se)[keep])
  list(coef = values, se = errors)
}
fit <- function(m) {
  r <- pick(m$coefficients, m$rest.se)
  c(r, list(rho = unname(m$rho), lam = unname(m$lambda), rho_se = unname(m$rho.se), lam_se = unname(m$lambda.se),
            sigma2 = unname(m$s2), loglik = as.numeric(logLik(m))))
}
impact <- function(m, w, names) {
  i <- impacts(m, listw = w)
  z <- if (!is.null(i$direct)) i else i$res
  list(variables = names, direct = as.numeric(z$direct), indirect = as.numeric(z$indirect), total = as.numeric(z$total))
}
models <- function(f, data, w, lags, everything = TRUE) {
  all <- reformulate(lags)
  one <- reformulate(lags[1])
  r <- list(sar = fit(lagsarlm(f, data, w, method = "eigen", tol.solve = 1e-30, control = tight)),
            sem = fit(errorsarlm(f, data, w, method = "eigen", tol.solve = 1e-30, control = tight)))
  if (!everything) return(r)
  r$sdm <- fit(lagsarlm(f, data, w, Durbin = all, method = "eigen", tol.solve = 1e-30, control = tight))
  r$sdm_first_lagged <- fit(lagsarlm(f, data, w, Durbin = one, method = "eigen", tol.solve = 1e-30, control = tight))
  r$sdem <- fit(errorsarlm(f, data, w, Durbin = all, method = "eigen", tol.solve = 1e-30, control = tight))
  r$sac <- fit(sacsarlm(f, data, w, method = "eigen", tol.solve = 1e-30, control = tight_both))
  r
}
tests_of <- function(m, w) lapply(lm.LMtests(m, w, test = "all"), function(t) unname(as.numeric(t$statistic)))

main <- reformulate(x, "lgsp")
r <- list(source = paste("spatialreg", packageVersion("spatialreg"), "spdep", packageVersion("spdep")),
          weights = "row-standardised common borders; effects as dummy variables; lags by I_T (x) W")
r$none <- models(main, D, stack, x)
pooled <- lagsarlm(main, D, stack, Durbin = reformulate(x), method = "eigen", tol.solve = 1e-30, control = tight)
r$none$sdm$impacts <- impact(pooled, stack, x)
r$none$lm_tests <- tests_of(lm(main, D), stack)
r$entity <- models(update(main, . ~ . + state), D, stack, x)
r$time <- models(update(main, . ~ . + year), D, stack, x)
r$twoway <- models(update(main, . ~ . + state + year), D, stack, x)
N <- length(states)
within <- function(v, effect) {
  m <- matrix(v, N)
  if (effect != "time") m <- m - rowMeans(m)
  if (effect != "entity") m <- sweep(m, 2, colMeans(m))
  as.vector(m)
}
for (effect in c("entity", "time", "twoway")) {
  W <- as.data.frame(lapply(D[c("lgsp", x)], within, effect = effect))
  r[[effect]]$lm_tests <- tests_of(lm(reformulate(x, "lgsp", intercept = FALSE), W), stack)
}
writeLines(json(r), "expected/spatial_panel_states.json")

columbus <- read.csv("data/columbus.csv")
C <- as.matrix(read.csv("data/columbus_W_binary.csv", row.names = 1, check.names = FALSE))
f <- CRIME ~ INC + HOVAL
k <- c("INC", "HOVAL")
# impacts() takes the total of a lag model for beta / (1 - rho), which holds for row-standardised weights only: dense here.
dense_impact <- function(m, w, names) {
  S <- solve(diag(length(w$neighbours)) - m$rho * listw2mat(w))
  beta <- m$coefficients[names]
  list(variables = names, direct = as.numeric(mean(diag(S)) * beta),
       indirect = as.numeric((sum(S) / nrow(S) - mean(diag(S))) * beta), total = as.numeric(sum(S) / nrow(S) * beta))
}
cross <- function(w, everything = TRUE, tested = TRUE) {
  r <- models(f, columbus, w, k, everything)
  sar <- lagsarlm(f, columbus, w, method = "eigen", tol.solve = 1e-30, control = tight)
  r$sar$impacts <- if (everything) impact(sar, w, k) else dense_impact(sar, w, k)
  if (tested) r$lm_tests <- tests_of(lm(f, columbus), w)
  r
}
islands <- C
islands[c(1, 20), ] <- 0
islands[, c(1, 20)] <- 0
s <- list(source = r$source, row_standardised = cross(listw_of(C, "W")), binary = cross(listw_of(C, "B"), FALSE),
          islands = c(list(ids = c(1, 20)), cross(listw_of(islands, "W"), FALSE, FALSE)))
slx <- lmSLX(f, columbus, listw_of(C, "W"))
s$row_standardised$slx <- c(pick(coef(slx), sqrt(diag(vcov(slx)))), list(loglik = as.numeric(logLik(slx))))
writeLines(json(s), "expected/spatial_cross_columbus.json")
