# Expected values of composite and agglomeration on Produc (48 states, 1970-1986), written apart from the library: loops,
# prcomp for components, an unsymmetric eigen problem and the method of reflections for complexity.
# Run in tests/reference:  Rscript R/composite_agglomeration.R
options(digits = 15)

number <- function(v) ifelse(is.na(v), "null", sprintf("%.15g", v))
json <- function(x) {
  if (is.list(x)) return(paste0("{", paste0('"', names(x), '": ', vapply(x, json, ""), collapse = ", "), "}"))
  if (length(x) == 1) number(x) else paste0("[", paste(number(x), collapse = ", "), "]")
}
write_json <- function(x, name) {
  top <- paste0('  "', names(x), '": ', vapply(x, json, ""), collapse = ",\n")
  writeLines(paste0("{\n", top, "\n}"), file.path("expected", paste0(name, ".json")))
}
named <- function(v) as.list(v)

produc <- read.csv("data/produc.csv")
columns <- c("hwy", "water", "util", "pc", "gsp", "emp", "unemp")
negative <- "unemp"

ranged <- function(X) {
  for (n in colnames(X)) {
    X[, n] <- (X[, n] - min(X[, n])) / (max(X[, n]) - min(X[, n]))
    if (n %in% negative) X[, n] <- 1 - X[, n]
  }
  X
}
entropy <- function(X) {
  d <- c()
  for (n in colnames(X)) {
    p <- X[, n] / sum(X[, n])
    e <- 0
    for (v in p) if (v > 0) e <- e - v * log(v) / log(nrow(X))
    d[n] <- 1 - e
  }
  d / sum(d)
}
critic <- function(X) {
  C <- c()
  for (a in colnames(X)) {
    s <- 0
    for (b in colnames(X)) s <- s + 1 - cor(X[, a], X[, b])
    C[a] <- sd(X[, a]) * s
  }
  C / sum(C)
}
components <- function(X, kept = NULL) {
  p <- prcomp(X, scale. = TRUE)
  lambda <- p$sdev^2
  if (is.null(kept)) kept <- sum(lambda > 1)
  a <- p$rotation
  for (k in seq_len(ncol(a))) if (sum(a[, k]) < 0) a[, k] <- -a[, k]
  communality <- rowSums(sweep(a[, 1:kept, drop = FALSE]^2, 2, lambda[1:kept], "*"))
  coefficient <- as.vector(a[, 1:kept, drop = FALSE] %*% lambda[1:kept]) / sum(lambda[1:kept])
  names(coefficient) <- rownames(a)
  list(eigenvalues = lambda, kept = kept, squared = named(communality / sum(communality)),
       coefficients = named(coefficient / sum(coefficient)))
}
closeness <- function(X, w, vector) {
  if (vector) for (n in colnames(X)) X[, n] <- X[, n] / sqrt(sum(X[, n]^2)) else X <- ranged(X)
  best <- worst <- c()
  for (n in colnames(X)) {
    v <- X[, n] * w[[n]]
    less <- vector && n %in% negative
    best[n] <- if (less) min(v) else max(v)
    worst[n] <- if (less) max(v) else min(v)
    X[, n] <- v
  }
  plus <- apply(X, 1, function(v) sqrt(sum((v - best)^2)))
  minus <- apply(X, 1, function(v) sqrt(sum((v - worst)^2)))
  unname(minus / (plus + minus))
}

X <- as.matrix(produc[, columns]); Z <- ranged(X)
last <- produc[produc$year == 1986, ]; XL <- as.matrix(last[, columns])
w <- entropy(Z)
write_json(list(
  entropy = named(w),
  entropy_1986 = named(entropy(ranged(XL))),
  critic = named(critic(Z)),
  pca = components(Z),
  pca_two = components(Z, 2),
  pca_six = components(Z[, colnames(Z) != "unemp"]),
  pca_three = components(Z[, c("hwy", "pc", "unemp")], 2),
  topsis_vector = closeness(X, w, TRUE),
  topsis_ranged = closeness(X, w, FALSE)
), "composite_produc")

industries <- c("hwy", "water", "util", "pc", "gsp", "emp")
V <- as.matrix(last[, industries]); rownames(V) <- last$state
Q <- (V / rowSums(V)) / rep(colSums(V) / sum(V), each = nrow(V))
M <- (Q >= 1) + 0
keep <- rowSums(M) > 0; M <- M[keep, ]
kc <- rowSums(M); kp <- colSums(M)

phi <- matrix(0, ncol(M), ncol(M))
for (i in seq_len(ncol(M))) for (j in seq_len(ncol(M)))
  phi[i, j] <- min(sum(M[, i] * M[, j]) / kp[j], sum(M[, i] * M[, j]) / kp[i])
density <- matrix(0, nrow(M), ncol(M))
for (c in seq_len(nrow(M))) for (k in seq_len(ncol(M))) {
  other <- setdiff(seq_len(ncol(M)), k)
  density[c, k] <- sum(M[c, other] * phi[k, other]) / sum(phi[k, other])
}

z <- function(v) (v - mean(v)) / sqrt(mean((v - mean(v))^2))
tilde <- matrix(0, nrow(M), nrow(M))
for (a in seq_len(nrow(M))) for (b in seq_len(nrow(M))) tilde[a, b] <- sum(M[a, ] * M[b, ] / kp) / kc[a]
e <- eigen(tilde); o <- order(Re(e$values), decreasing = TRUE)
eci <- z(Re(e$vectors[, o[2]])); if (cor(eci, kc) < 0) eci <- -eci
tilde_p <- matrix(0, ncol(M), ncol(M))
for (a in seq_len(ncol(M))) for (b in seq_len(ncol(M))) tilde_p[a, b] <- sum(M[, a] * M[, b] / kc) / kp[a]
f <- eigen(tilde_p); q <- order(Re(f$values), decreasing = TRUE)
pci <- z(Re(f$vectors[, q[2]])); if (cor(pci, as.vector(eci %*% M / kp)) < 0) pci <- -pci
kcn <- kc; kpn <- kp
for (n in 1:60) { new_c <- as.vector(M %*% kpn) / kc; new_p <- as.vector(t(M) %*% kcn) / kp; kcn <- new_c; kpn <- new_p }
reflections <- z(kcn); if (cor(reflections, kc) < 0) reflections <- -reflections

x <- log(sort(last$emp, decreasing = TRUE)); y <- log(seq_along(x) - 0.5); fit <- lm(y ~ x)
plant <- c(0.01, 0.02, 0.05, 0.1, 0.2, 0.4); names(plant) <- industries
s <- sweep(V, 2, colSums(V), "/"); r <- rowSums(V) / sum(V)
gamma <- c()
for (n in industries) {
  G <- sum((s[, n] - r)^2)
  gamma[n] <- (G - (1 - sum(r^2)) * plant[[n]]) / ((1 - sum(r^2)) * (1 - plant[[n]]))
}
share <- V / rowSums(V)
national <- colSums(V) / sum(V)
krugman_rest <- c()
for (i in seq_len(nrow(V))) {
  rest <- colSums(V[-i, ]) / sum(V[-i, ])
  krugman_rest[i] <- sum(abs(share[i, ] - rest))
}
group <- c(hwy = "public", water = "public", util = "public", pc = "private", gsp = "private", emp = "private")
unrelated <- related <- c()
for (i in seq_len(nrow(V))) {
  P <- tapply(share[i, ], group[industries], sum)
  unrelated[i] <- sum(P * log2(1 / P))
  related[i] <- 0
  for (g in names(P)) { p <- share[i, industries[group[industries] == g]] / P[g]; related[i] <- related[i] + P[g] * sum(p * log2(1 / p)) }
}
write_json(list(
  quotients = as.vector(t(Q)), with_advantage = sum(keep),
  proximity = as.vector(phi), density = as.vector(t(density)),
  eci = eci, pci = pci, second_eigenvalue = Re(e$values[o[2]]), eci_by_reflections = reflections,
  rank_size = list(exponent = -unname(coef(fit)[2]), intercept = unname(coef(fit)[1]),
                   r_squared = summary(fit)$r.squared, std_error = -unname(coef(fit)[2]) * sqrt(2 / length(x))),
  gamma = named(gamma), herfindahl = unname(rowSums(share^2)),
  krugman = unname(rowSums(abs(sweep(share, 2, national)))), krugman_rest = krugman_rest,
  unrelated = unrelated, related = related
), "agglomeration_produc")
