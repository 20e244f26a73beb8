package programs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// project makes a stand-in for weft's repository, with one set in it.
func project(t *testing.T) (source string) {
	t.Helper()
	root := t.TempDir()
	source = filepath.Join(root, "test", "greeter")
	if err := os.MkdirAll(source, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "go.mod"), "module github.com/weft-net/weft\n")
	write(t, filepath.Join(source, "go.mod"), "module greeter\n")
	greet(t, source, `"hello"`)
	t.Chdir(root)
	return source
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func greet(t *testing.T, source, expression string) {
	t.Helper()
	write(t, filepath.Join(source, "main.go"), "package main\n\nfunc main() { print("+expression+") }\n")
}

var greeter = Set{Module: "greeter", Packages: "."}

func said(t *testing.T) (string, os.FileInfo) {
	t.Helper()
	dir, err := greeter.Dir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "greeter")
	out, err := exec.Command(program).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), info
}

func TestProgramsAreBuiltWhenTheirModuleChanged(t *testing.T) {
	source := project(t)
	out, first := said(t)
	if out != "hello" {
		t.Errorf("the program said %q", out)
	}
	if _, again := said(t); again.ModTime() != first.ModTime() {
		t.Error("it was built again though nothing changed")
	}
	greet(t, source, `"bye"`)
	if out, _ := said(t); out != "bye" {
		t.Errorf("after the change the program said %q", out)
	}
}

func TestFailedBuildIsToldAndTriedAgain(t *testing.T) {
	source := project(t)
	greet(t, source, "undefinedName")
	for range 2 {
		if _, err := greeter.Dir(t.Context()); err == nil || !strings.Contains(err.Error(), "undefinedName") {
			t.Errorf("error %v does not hold the compiler's words", err)
		}
	}
	greet(t, source, `"mended"`)
	if out, _ := said(t); out != "mended" {
		t.Errorf("the program said %q", out)
	}
}

func TestManyMayAskAtOnce(t *testing.T) {
	project(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := greeter.Dir(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if out, _ := said(t); out != "hello" {
		t.Errorf("the program said %q", out)
	}
}
