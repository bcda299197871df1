package guestapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/deskhand/deskhand"
)

// failureLimit bounds the body of a failure, in bytes.
const failureLimit = 64 << 10

// FailureOf returns the failure that an answer carries, nil for a success.
func FailureOf(res *http.Response) *Failure {
	if res.StatusCode < 300 {
		return nil
	}
	var f Failure
	data, err := io.ReadAll(io.LimitReader(res.Body, failureLimit))
	if err != nil || json.Unmarshal(data, &f) != nil || f.Code == "" {
		return &Failure{Code: string(deskhand.Internal), Message: "the guest answered with " + res.Status + " and no reason"}
	}
	return &f
}

// Err returns f as an error of the project.
func (f *Failure) Err() error {
	return deskhand.E("", deskhand.Code(f.Code), errors.New(f.Message))
}
