package model

import (
	"testing"

	"github.com/deskhand/deskhand"
)

func TestFit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		source, standard string
		standardTokens   int
		high             string
		highTokens       int
	}{
		{"1024x768", "1024x768", 1036, "1024x768", 1036},
		{"1280x720", "1280x720", 1196, "1280x720", 1196},
		{"1280x800", "1280x800", 1334, "1280x800", 1334},
		{"1366x768", "1366x768", 1372, "1366x768", 1372},
		{"1440x900", "1389x868", 1550, "1440x900", 1716},
		{"1512x982", "1372x891", 1568, "1512x982", 1944},
		{"1920x1080", "1456x819", 1560, "1920x1080", 2691},
		{"1920x1200", "1389x868", 1550, "1920x1200", 2967},
		{"2000x1500", "1270x952", 1564, "2000x1500", 3888}, // the page says 1269: a tie its own algorithm breaks upwards
		{"2560x1440", "1456x819", 1560, "2560x1440", 4784},
		{"2560x1600", "1389x868", 1550, "2420x1512", 4698},
		{"3024x1964", "1372x891", 1568, "2380x1546", 4760},
		{"3840x2160", "1456x819", 1560, "2576x1449", 4784},
		{"1075x1520", "924x1307", 1551, "1075x1520", 2145},
	}
	for _, tt := range tests {
		source, _ := deskhand.ParseSize(tt.source)
		for _, c := range []struct {
			limits Limits
			want   string
			tokens int
		}{{standardTier(), tt.standard, tt.standardTokens}, {highTier(), tt.high, tt.highTokens}} {
			got := Fit(source, c.limits)
			if got.String() != c.want || ImageTokens(got) != c.tokens {
				t.Errorf("Fit(%s, %v) = %s (%d tokens), want %s (%d)", source, c.limits, got, ImageTokens(got), c.want, c.tokens)
			}
		}
	}
}

func TestScreenshotIsAllowedForTheWholeTask(t *testing.T) {
	t.Parallel()
	sonnet, err := Lookup(Default)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ screen, want string }{
		{"1280x800", "1280x800"},
		{"1920x1080", "1920x1080"},
		{"2000x1500", "2000x1500"},
		{"2560x1440", "2000x1125"},
		{"1440x2560", "1125x2000"},
		{"16384x1", "2000x1"},
	}
	for _, tt := range tests {
		screen, _ := deskhand.ParseSize(tt.screen)
		got := Screenshot(screen, sonnet)
		if got.String() != tt.want {
			t.Errorf("Screenshot(%s) = %s, want %s", screen, got, tt.want)
		}
		if !sonnet.Limits.Many(600).Fits(got) {
			t.Errorf("Screenshot(%s) = %s does not fit among many images", screen, got)
		}
	}
}

func FuzzFitIsWithinLimits(f *testing.F) {
	f.Add(uint16(1280), uint16(800))
	f.Add(uint16(1), uint16(16000))
	f.Fuzz(func(t *testing.T, w, h uint16) {
		size := deskhand.Size{W: int(w%16384) + 1, H: int(h%16384) + 1}
		for _, limits := range []Limits{highTier(), standardTier(), highTier().Many(21)} {
			got := Fit(size, limits)
			if !limits.Fits(got) || got.W > size.W || got.H > size.H {
				t.Errorf("Fit(%s, %v) = %s", size, limits, got)
			}
		}
	})
}
