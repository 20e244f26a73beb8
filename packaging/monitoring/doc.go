// Package monitoring holds Prometheus rules and a Grafana dashboard for weft's
// metrics, and the tests that hold both to the metrics that the agent has. It
// has no code that anything else may import.
package monitoring
