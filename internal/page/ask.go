package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// runLimit bounds a command that the page runs.
const runLimit = 20 * time.Second

// maxDocument bounds a network config that is tried, in bytes.
const maxDocument = 64 << 10

// question is what the page asks by running a command of weft.
type question struct {
	args  []string
	stdin []byte
}

// explainQuestion is 'weft explain'.
func explainQuestion(q url.Values) (question, error) {
	args := []string{"explain", "-o", "json"}
	if v := q.Get("protocol"); v != "" {
		args = append(args, "--protocol="+v)
	}
	if v := q.Get("port"); v != "" {
		args = append(args, "--port="+v)
	}
	src, dst := strings.TrimSpace(q.Get("src")), strings.TrimSpace(q.Get("dst"))
	if src == "" || dst == "" {
		return question{}, errors.New("a source and a destination are needed")
	}
	return question{args: append(args, "--", src, dst)}, nil
}

// setting is KEY=VALUE of 'weft config set', so that a word is never a file's name.
var setting = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.]*=`)

var configKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.]*$`)

// preflightQuestion is 'weft config set --dry-run', of a whole document or of keys.
func preflightQuestion(q url.Values) (question, error) {
	args := []string{"config", "set", "--dry-run", "--force", "-o", "json"}
	doc := q.Get("document")
	if doc != "" {
		if len(doc) > maxDocument || !json.Valid([]byte(doc)) {
			return question{}, errors.New("the document is not valid JSON")
		}
		return question{args: append(args, "-"), stdin: []byte(doc)}, nil
	}
	for _, key := range q["unset"] {
		if !configKey.MatchString(key) {
			return question{}, errors.New("unset: " + key + " is not a key")
		}
		args = append(args, "--unset="+key)
	}
	args = append(args, "--")
	for _, s := range q["set"] {
		if !setting.MatchString(s) {
			return question{}, errors.New(s + ": a change is written KEY=VALUE, for example Backend.VNI=2")
		}
		args = append(args, s)
	}
	if len(q["set"])+len(q["unset"]) == 0 {
		return question{}, errors.New("no change is given, for example Backend.VNI=2")
	}
	return question{args: args}, nil
}

// questions are all that the page can ask, by path.
var questions = map[string]func(url.Values) (question, error){
	"/api/explain": explainQuestion,
	"/api/plan":    func(url.Values) (question, error) { return question{args: []string{"plan", "-o", "json"}}, nil },
	"/api/drift": func(url.Values) (question, error) {
		return question{args: []string{"plan", "--diff", "-o", "json"}}, nil
	},
	"/api/config": func(url.Values) (question, error) {
		return question{args: []string{"config", "get", "-o", "json"}}, nil
	},
	"/api/preflight": preflightQuestion,
}

// ask answers a question with what the command prints.
func (s Source) ask(of func(url.Values) (question, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		values := r.URL.Query()
		q, err := of(values)
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), runLimit)
		defer cancel()
		out, err := s.Run(ctx, values.Get("host"), q.stdin, q.args...)
		if err == nil && !json.Valid(bytes.TrimSpace(out.Stdout)) {
			err = errors.New(complaint(out.Stderr))
		}
		if err != nil {
			refuse(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{ // fails only if the client is gone
			"answer": json.RawMessage(bytes.TrimSpace(out.Stdout)), "notes": strings.TrimSpace(string(out.Stderr)),
		})
	}
}

// complaint is what a command said on its error output, without its own name.
func complaint(stderr []byte) string {
	text := strings.TrimSpace(string(stderr))
	if text == "" {
		return "the command printed nothing"
	}
	return strings.TrimPrefix(text, "weft: ")
}

// cut serves the buttons of a lab.
func (s Source) cut(w http.ResponseWriter, r *http.Request) {
	var c struct {
		Name string `json:"name"`
		Cut  bool   `json:"cut"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&c); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if err := s.Lab.SetCut(c.Name, c.Cut); err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
