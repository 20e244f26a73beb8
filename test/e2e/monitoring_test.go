package e2e

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

const prometheusConfig = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [weft-alerts.yml]
scrape_configs: [{job_name: weft, static_configs: [{targets: ["127.0.0.1:10256"]}]}]
`

// prometheus HOST: the real one, which scrapes the agent there and has weft's alerts
func cmdPrometheus(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "prometheus HOST")
	dir := ts.MkAbs("prometheus")
	ts.Check(os.MkdirAll(dir, 0o755))
	alerts, err := os.ReadFile("../../packaging/monitoring/weft-alerts.yml")
	ts.Check(err)
	for name, text := range map[string][]byte{"weft-alerts.yml": alerts, "prometheus.yml": []byte(prometheusConfig)} {
		ts.Check(os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	_, err = worldOf(ts).host(ts, args[0]).Start("prometheus", []string{
		"prometheus", "--config.file=" + filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:9090", "--log.level=warn",
	})
	ts.Check(err)
}
