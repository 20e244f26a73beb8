package monitoring_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAlerts has Prometheus' own tool check the rules and run their unit tests.
func TestAlerts(t *testing.T) {
	for _, args := range [][]string{
		{"check", "rules", "--lint=all", "--lint-fatal", "weft-alerts.yml"},
		{"test", "rules", "weft-alerts_test.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestDashboard holds that Grafana can read the dashboard and Prometheus its queries:
// panels have numbers of their own, fit the grid of 24 columns and do not overlap.
func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile("weft-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID, Title string
		Panels     []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	if board.UID == "" || board.Title == "" || len(board.Panels) == 0 {
		t.Errorf("uid %q, title %q, %d panels", board.UID, board.Title, len(board.Panels))
	}
	rules := "groups:\n- name: dashboard\n  rules:\n"
	ids, cells := map[int]string{}, map[[2]int]string{}
	for _, p := range board.Panels {
		if other, taken := ids[p.ID]; taken || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q: id %d (also %q), %d targets, at %+v", p.Title, p.ID, other, len(p.Targets), p.GridPos)
		}
		ids[p.ID] = p.Title
		for _, target := range p.Targets {
			rules += fmt.Sprintf("  - {record: 'panel%d', expr: %q}\n", p.ID, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := cells[cell]; other != "" {
					t.Fatalf("panels %q and %q overlap", p.Title, other)
				}
				cells[cell] = p.Title
			}
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "promtool", "check", "rules", "--lint=none", file).CombinedOutput(); err != nil {
		t.Errorf("the queries of the panels: %v\n%s", err, out)
	}
}
