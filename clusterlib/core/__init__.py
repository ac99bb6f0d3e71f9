"""What every method stands on: checks, effects, covariance, weights, resampling, results. One of each."""
