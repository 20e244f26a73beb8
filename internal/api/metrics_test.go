package api

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	describedName = regexp.MustCompile(`fqName: "([^"]+)"`)
	mentionedName = regexp.MustCompile(`\bweft_[a-z_]+\b`)
)

const monitoring = "../../packaging/monitoring/"

// TestGuidesNameTheMetrics holds the guides, the alerts and the dashboard against
// the metrics: they name none that there is not, and the guide about monitoring
// names all.
func TestGuidesNameTheMetrics(t *testing.T) {
	real := map[string]bool{}
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		(&metrics{}).Describe(descs)
	}()
	for d := range descs {
		real[describedName.FindStringSubmatch(d.String())[1]] = true
	}
	guides, err := filepath.Glob("../../docs/guides/*.md")
	if err != nil || len(guides) == 0 {
		t.Fatal("no guides", err)
	}
	listed := map[string]bool{}
	for _, guide := range append(guides, "../../README.md", monitoring+"weft-alerts.yml", monitoring+"weft-alerts_test.yml", monitoring+"weft-dashboard.json") {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range mentionedName.FindAllString(string(text), -1) {
			if !real[name] {
				t.Errorf("%s names the metric %s, which does not exist", guide, name)
			}
			listed[name] = listed[name] || filepath.Base(guide) == "monitoring.md"
		}
	}
	for name := range real {
		if !listed[name] {
			t.Errorf("docs/guides/monitoring.md does not list %s", name)
		}
	}
}
