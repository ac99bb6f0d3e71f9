# The side of spatialreg in benchmarks/spatial_panel.py: a Durbin model of a stacked panel, with simulated impacts.
# Rscript spatial_panel.R <folder with stack.csv and weights.csv> <"dummies" or "plain">
# Prints seconds of the fit and of the impacts, then coefficients and total impacts.
suppressPackageStartupMessages({library(spdep); library(spatialreg); library(Matrix)})
arguments <- commandArgs(TRUE)
stack <- read.csv(file.path(arguments[1], "stack.csv"))
edges <- read.csv(file.path(arguments[1], "weights.csv"))
periods <- max(stack$time) + 1
units <- nrow(stack) / periods
neighbours <- split(edges$to + 1L, factor(edges$from, levels = seq_len(units) - 1))
shifted <- unlist(lapply(seq_len(periods) - 1, function(t) lapply(neighbours, function(j) as.integer(sort(j) + t * units))),
                  recursive = FALSE, use.names = FALSE)
class(shifted) <- "nb"
attr(shifted, "region.id") <- as.character(seq_len(nrow(stack)))
w <- nb2listw(shifted, style = "W")
dummies <- if (arguments[2] == "dummies") grep("^d", names(stack), value = TRUE) else character()
f <- reformulate(c("x1", "x2", dummies), "y")
# With traces lagsarlm takes its errors from the information; its numerical Hessian is not positive definite here.
seconds <- system.time({
  traces <- trW(as(w, "CsparseMatrix"), type = "MC")
  m <- lagsarlm(f, stack, w, Durbin = ~ x1 + x2, method = "LU", trs = traces, tol.solve = 1e-20, quiet = TRUE)
})[["elapsed"]]
after <- system.time({
  set.seed(1)
  i <- impacts(m, tr = traces, R = 1000)
  s <- summary(i, zstats = TRUE, short = TRUE)
})[["elapsed"]]
total <- i$res$total
cat(sprintf("%.6f", c(seconds, after)), "\n")
cat(sprintf("%.15g", c(m$rho, m$coefficients[c("x1", "x2", "lag.x1", "lag.x2")], total[1:2])), "\n")
