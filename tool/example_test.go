package tool_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
)

// A tool is a Go function and the struct it takes.
func ExampleNew() {
	type input struct {
		Location string `json:"location" doc:"The city and state, e.g. San Francisco, CA"`
		Unit     string `json:"unit,omitempty" doc:"The unit of temperature, either 'celsius' or 'fahrenheit'" enum:"celsius,fahrenheit"`
	}
	weather := tool.New(tool.NewSpec{
		Name:        "get_weather",
		Description: "Get the current weather in a given location",
	}, func(_ context.Context, in input) (deskhand.Result, error) {
		if in.Location != "San Francisco, CA" {
			return deskhand.Result{}, deskhand.Errorf("weather", deskhand.NotFound, "There is no station in %s.", in.Location)
		}
		return deskhand.Text("15 degrees"), nil
	})

	fmt.Println(string(weather.Spec().Entry))
	for _, written := range []string{
		`{"location": "San Francisco, CA", "unit": "celsius"}`,
		`{"location": "Atlantis"}`,
		`{"city": "San Francisco", "unit": "kelvin"}`,
	} {
		result, err := weather.Run(context.Background(), deskhand.Call{Name: "get_weather", Input: json.RawMessage(written)})
		if err != nil {
			panic(err) // the runtime cannot go on; see Tool
		}
		fmt.Println(result.IsError, result.Content[0].Text)
	}
	// Output:
	// {"name":"get_weather","description":"Get the current weather in a given location","input_schema":{"type":"object","properties":{"location":{"type":"string","description":"The city and state, e.g. San Francisco, CA"},"unit":{"type":"string","description":"The unit of temperature, either 'celsius' or 'fahrenheit'","enum":["celsius","fahrenheit"]}},"required":["location"],"additionalProperties":false}}
	// false 15 degrees
	// true Error: There is no station in Atlantis.
	// true invalid input for tool 'get_weather': location: required; unit: expected one of celsius, fahrenheit; city: unknown field
}
