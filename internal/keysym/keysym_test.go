package keysym

import "testing"

func TestNamed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Sym{
		"Return": 0xff0d, "return": 0xff0d, "RETURN": 0xff0d,
		"Page_Up": 0xff55, "page_up": 0xff55, "Prior": 0xff55,
		"a": 'a', "A": 'A', "aacute": 0xe1, "Aacute": 0xc1, "AACUTE": 0xe1,
		"EuroSign": 0x20ac, "eurosign": 0x20ac, "F12": 0xffc9, "f35": 0xffe0,
		"XF86Back": 0x1008ff26, "xf86audioraisevolume": 0x1008ff13, "XF86KbdLcdMenu5": 0x100812bc,
		"dead_acute": 0xfe51, "ISO_Level3_Shift": 0xfe03, "Cyrillic_zhe": 0x6d6, "Cyrillic_ZHE": 0x6f6,
		"U20AC": 0x010020ac, "u+1F600": 0x0101f600, "U0041": 'A', "Ucircumflex": 0xdb, "BackSpace": 0xff08,
	} {
		if got, ok := Named(name); !ok || got != want {
			t.Errorf("%s is %#x, %v; want %#x", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "no such key", "UD800", "U110000", "U000A", "U0085", "U20ACX", "U-0041", "U++0041", "XK_Return"} {
		if got, ok := Named(name); ok {
			t.Errorf("%q is %#x", name, got)
		}
	}
}

func TestRune(t *testing.T) {
	t.Parallel()
	for s, want := range map[Sym]rune{
		'a': 'a', 0xe9: 'é', 0x20ac: '€', 0x6d6: 'ж', 0x010020ac: '€', 0x0101f600: '😀', 0x7e0 + 1: 'α',
		0xff0d: 0, 0xfe51: 0, 0xffe1: 0, 0x0100d800: 0, 0: 0,
	} {
		if got := s.Rune(); got != want {
			t.Errorf("%#x is %q, want %q", s, got, want)
		}
	}
	for _, r := range "aZé€ж中😀\u0301~ " {
		if got := Of(r).Rune(); got != r {
			t.Errorf("%q comes back as %q", r, got)
		}
	}
}

func FuzzNamed(f *testing.F) {
	for _, s := range []string{"Return", "U20AC", "u+", "U+110000", "+", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if s, ok := Named(name); ok && s == 0 && name != "VoidSymbol" && name != "NoSymbol" {
			t.Errorf("%q is the keysym 0", name)
		}
	})
}
