# Expected values of stochastic_frontier: inefficiency is integrated out numerically, without the closed forms.
# Run in tests/reference:  Rscript R/stochastic_frontier.R     (base R alone; some minutes)
options(digits = 15)

number <- function(v) ifelse(is.na(v), "null", sprintf("%.12g", v))
json <- function(x) {
  if (is.list(x)) return(paste0("{", paste0('"', names(x), '": ', vapply(x, json, ""), collapse = ", "), "}"))
  if (is.character(x)) return(paste0('"', x, '"'))
  if (length(x) == 1) number(x) else paste0("[", paste(number(x), collapse = ", "), "]")
}

# Gauss-Legendre nodes on [-1, 1] from the eigenvalues of Jacobi's matrix.
legendre <- local({
  n <- 96; i <- seq_len(n - 1); J <- matrix(0, n, n); J[cbind(i, i + 1)] <- J[cbind(i + 1, i)] <- i / sqrt(4 * i^2 - 1)
  e <- eigen(J, symmetric = TRUE); list(x = e$values, w = 2 * e$vectors[1, ]^2)
})

frontier <- function(d, y, x, unit) {
  Y <- d[[y]]; X <- cbind(1, as.matrix(d[x])); k <- ncol(X); rows <- split(seq_along(Y), unit)
  log_prior <- function(u, su) log(2) + dnorm(u, 0, su, log = TRUE)
  # Log of the integral over u of prior times likelihood times exp(-a u) or u; nodes lie where the product is not nil.
  integrals <- function(theta, extra) {
    b <- theta[1:k]; sv <- exp(theta[k + 1]); su <- exp(theta[k + 2])
    e <- as.vector(Y - X %*% b)
    lapply(rows, function(r) {
      f <- function(u) { l <- log_prior(u, su); for (j in r) l <- l + dnorm(e[j] + u, 0, sv, log = TRUE); l }
      top <- optimize(f, c(0, 12 * su + 6 * max(abs(e[r]))), maximum = TRUE, tol = 1e-10)$maximum
      peak <- f(top); width <- sv / sqrt(length(r)); lo <- max(0, top - 12 * width); hi <- top + 12 * width
      cut <- if (top > lo) c(lo, (lo + top) / 2, top, (top + hi) / 2, hi) else c(lo, lo + (hi - lo) * c(0.05, 0.2, 0.5, 1))
      u <- unlist(lapply(2:length(cut), function(i) (cut[i] + cut[i - 1]) / 2 + (cut[i] - cut[i - 1]) / 2 * legendre$x))
      w <- unlist(lapply(2:length(cut), function(i) (cut[i] - cut[i - 1]) / 2 * legendre$w))
      p <- w * exp(f(u) - peak)
      out <- list(log = log(sum(p)) + peak)
      if (extra) {
        out$mean_u <- rep(sum(p * u) / sum(p), length(r))
        out$mean_exp <- rep(sum(p * exp(-u)) / sum(p), length(r))
      }
      out
    })
  }
  # Where a step of the search leads too far out to integrate, the likelihood is taken as nil.
  value <- function(theta) { v <- tryCatch(suppressWarnings(sum(vapply(integrals(theta, FALSE), function(z) z$log, 0))), error = function(e) NA); if (is.finite(v)) v else -1e10 }
  ols <- lm.fit(X, Y); m <- sqrt(mean(ols$residuals^2))
  start <- c(ols$coefficients, log(m * 0.8), log(m * 0.8)); start[1] <- start[1] + m * 0.6
  o <- list(par = start)
  for (i in 1:4) o <- optim(o$par, value, method = "BFGS", control = list(fnscale = -1, reltol = 1e-14, maxit = 400, ndeps = rep(1e-5, length(start))))
  # Differences with steps of a share of each parameter's own curvature, extrapolated from two step lengths.
  p <- o$par; n <- length(p); top <- value(p)
  unit <- vapply(seq_len(n), function(j) { h <- replace(numeric(n), j, 1e-4); sqrt(-1e-8 / (value(p + h) - 2 * top + value(p - h))) }, 0)
  differences <- function(share) {
    h <- diag(share * unit); H <- matrix(0, n, n)
    for (i in seq_len(n)) for (j in seq_len(i)) H[i, j] <- H[j, i] <-
      (value(p + h[i, ] + h[j, ]) - value(p + h[i, ] - h[j, ]) - value(p - h[i, ] + h[j, ]) + value(p - h[i, ] - h[j, ])) / (4 * h[i, i] * h[j, j])
    H
  }
  H <- (4 * differences(0.04) - differences(0.08)) / 3
  z <- integrals(o$par, TRUE); back <- order(unlist(rows, use.names = FALSE))
  list(theta = unname(o$par), se = unname(sqrt(diag(solve(-H)))), loglike = value(o$par),
    loglike_ols = -length(Y) / 2 * (log(2 * pi * mean(ols$residuals^2)) + 1),
    inefficiency = unlist(lapply(z, `[[`, "mean_u"), use.names = FALSE)[back],
    efficiency = unlist(lapply(z, `[[`, "mean_exp"), use.names = FALSE)[back])
}

d <- read.csv("data/produc.csv"); d <- d[order(d$state, d$year), ]
d$ly <- log(d$gsp); d$lk <- log(d$pc); d$ll <- log(d$emp); d$lu <- log(d$unemp); x <- c("lk", "ll", "lu")
year <- d[d$year == 1986, ]
cases <- list(source = "R, likelihood by quadrature over the inefficiency, optim",
  data = "produc: log gsp on a constant, log pc, log emp, log unemp; rows by state, then year",
  theta = "coefficients, log sigma_v, log sigma_u",
  production_1986_half_normal = frontier(year, "ly", x, seq_len(nrow(year))), production_invariant_half_normal = frontier(d, "ly", x, d$state))
writeLines(paste0("{\n", paste0('  "', names(cases), '": ', vapply(cases, json, ""), collapse = ",\n"), "\n}"), "expected/stochastic_frontier_produc.json")
