# Fixed and random effects, their tests and covariances on unbalanced panels, and robust Hausman tests, by plm.
# Run in tests/reference: Rscript R/panel_unbalanced.R
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
nv <- function(x) as.list(setNames(as.numeric(x), names(x)))
se <- function(V) nv(sqrt(diag(V)))
read <- function(name) read.csv(file.path("data", paste0(name, ".csv")), check.names = FALSE)

# Every third row in a diagonal pattern, the first years of some units and one whole unit-year block are left out.
thin <- function(d, unit, time) {
  u <- match(d[[unit]], unique(d[[unit]])); t <- match(d[[time]], sort(unique(d[[time]])))
  d[!((u + 2 * t) %% 7 == 0 | (u %% 4 == 1 & t <= 3) | (u == 2 & t > 5)), ]
}
one <- function(f, p, effect) {
  m <- plm(f, p, model = "within", effect = effect)
  list(coef = nv(coef(m)), se_classical = se(vcov(m)), rss = deviance(m), df_residual = df.residual(m),
       se_cluster_entity_HC0 = se(vcovHC(m, method = "arellano", type = "HC0", cluster = "group")),
       se_cluster_time_HC0 = se(vcovHC(m, method = "arellano", type = "HC0", cluster = "time")),
       se_white1_HC0 = se(vcovHC(m, method = "white1", type = "HC0")),
       se_DK_maxlag2_HC0 = se(vcovSCC(m, type = "HC0", maxlag = 2)))
}
test <- function(t) list(statistic = unname(t$statistic), df = unname(t$parameter), p_value = unname(t$p.value))
random <- function(f, p) {
  m <- plm(f, p, model = "random", random.method = "swar")
  list(coef = nv(coef(m)), se_classical = se(vcov(m)), sigma2_idios = unname(m$ercomp$sigma2[["idios"]]),
       sigma2_id = unname(m$ercomp$sigma2[["id"]]))
}
# plm's auxiliary regression has an untransformed constant, which in an unbalanced panel is not in the span of the
# transformed one; here the constant is transformed like every other variable.
auxiliary <- function(fe, re, d, case) {
  s <- re$ercomp$sigma2; unit <- d[[case$unit]]
  theta <- 1 - sqrt(s[["idios"]] / (s[["idios"]] + ave(rep(1, nrow(d)), unit, FUN = sum) * s[["id"]]))
  mean_of <- function(v) ave(v, unit)
  star <- function(v) v - theta * mean_of(v)
  X <- cbind(star(rep(1, nrow(d))), sapply(d[case$x], star), sapply(d[case$x], function(v) v - mean_of(v)))
  m <- lm(star(d[[case$y]]) ~ 0 + X); last <- length(case$x) + 1 + seq_along(case$x)
  list(statistic = as.numeric(coef(m)[last] %*% solve(vcov(m)[last, last], coef(m)[last])), df = length(case$x))
}
robust <- function(x) vcovHC(x, method = "arellano", type = "HC0", cluster = "group")
cases <- list(
  produc = list(y = "gsp", x = c("pcap", "pc", "emp", "unemp"), unit = "state", logs = c("gsp", "pcap", "pc", "emp")),
  grunfeld = list(y = "inv", x = c("value", "capital"), unit = "firm", logs = character()),
  cigar = list(y = "logc", x = c("logp", "logy"), unit = "state", logs = character()))
out <- list(source = paste("plm", packageVersion("plm")))
for (name in names(cases)) {
  case <- cases[[name]]; d <- read(name)
  for (v in case$logs) d[[v]] <- log(d[[v]])
  f <- reformulate(case$x, case$y); fy <- reformulate(c(case$x, "factor(year)"), case$y)
  p <- pdata.frame(thin(d, case$unit, "year"), index = c(case$unit, "year"))
  whole <- pdata.frame(d, index = c(case$unit, "year"))
  fe <- plm(f, p, model = "within"); re <- plm(f, p, model = "random", random.method = "swar")
  rey <- plm(fy, whole, model = "random", random.method = "swar")
  fey <- plm(fy, whole, model = "within")
  keep <- case$x
  gap <- coef(fey)[keep] - coef(rey)[keep]
  out[[name]] <- list(nobs = nobs(fe), entity = one(f, p, "individual"), time = one(f, p, "time"),
    twoway = one(f, p, "twoways"), random = random(f, p), hausman = test(phtest(fe, re)),
    hausman_aux = auxiliary(fe, re, thin(d, case$unit, "year"), case),
    hausman_aux_clustered = test(phtest(f, whole, method = "aux", vcov = robust)),
    breusch_pagan = test(plmtest(f, p, type = "bp", effect = "individual")),
    pesaran_cd = test(pcdtest(fe, test = "cd")),
    balanced_with_periods = list(random = list(coef = nv(coef(rey)[c("(Intercept)", keep)]),
        se_classical = se(vcov(rey)[c("(Intercept)", keep), c("(Intercept)", keep)])),
      hausman = as.numeric(gap %*% solve(vcov(fey)[keep, keep] - vcov(rey)[keep, keep], gap))))
}
write_json(out, "panel_unbalanced")
