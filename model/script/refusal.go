package script

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// refusal is an error of the API.
type refusal struct {
	status  int
	kind    string
	message string
	header  map[string]string
}

// typeStatus is the HTTP status of an error type, 0 for an unknown one.
func typeStatus(kind string) int {
	return map[string]int{
		"invalid_request_error": 400, "authentication_error": 401, "billing_error": 402,
		"permission_error": 403, "not_found_error": 404, "conflict_error": 409,
		"request_too_large": 413, "rate_limit_error": 429, "api_error": 500,
		"timeout_error": 504, "overloaded_error": 529,
	}[kind]
}

// statusType is the error type of an HTTP status.
func statusType(status int) string {
	for _, kind := range []string{
		"invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
		"conflict_error", "request_too_large", "rate_limit_error", "timeout_error", "overloaded_error",
	} {
		if typeStatus(kind) == status {
			return kind
		}
	}
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}

func refuse(kind, format string, args ...any) *refusal {
	return &refusal{status: typeStatus(kind), kind: kind, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *refusal {
	return refuse("invalid_request_error", format, args...)
}

// body returns the error in the API's form.
func (r *refusal) body(requestID string) []byte {
	type inner struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	raw, err := json.Marshal(struct {
		Type      string `json:"type"`
		Error     inner  `json:"error"`
		RequestID string `json:"request_id,omitempty"`
	}{"error", inner{r.kind, r.message}, requestID})
	if err != nil {
		panic("script: error body: " + err.Error()) // unreachable: strings always marshal
	}
	return raw
}

func (r *refusal) write(w http.ResponseWriter, requestID string) {
	for name, value := range r.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body(requestID)) // a client that has gone needs no answer
}
