package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// chromiumFlags keep Chromium from asking, telling and fetching on its own.
var chromiumFlags = [...]string{
	"--no-first-run", "--no-default-browser-check", "--no-service-autorun", "--no-pings",
	"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
	"--disable-domain-reliability", "--disable-client-side-phishing-detection", "--disable-breakpad",
	"--metrics-recording-only", "--disable-field-trial-config",
	"--disable-quic", "--password-store=basic", "--use-mock-keychain",
	"--disable-gpu", "--disable-smooth-scrolling",
	"--hide-crash-restore-bubble", "--noerrdialogs", "--disable-infobars", "--disable-search-engine-choice-screen",
	"--propagate-iph-for-testing", "--simulate-outdated-no-au=Tue, 31 Dec 2099 23:59:59 GMT",
	"--disable-features=Translate,MediaRouter,OptimizationHints,AutofillServerCommunication,GlobalMediaControls,DialMediaRouteProvider,PrivacySandboxSettings4,InterestFeedContentSuggestions,CertificateTransparencyComponentUpdater",
}

// chromiumArgs keep Chromium's own sandbox, which works inside ours; only root
// cannot have it, and then only outside of walls.
func chromiumArgs(c Config) []string {
	args := append([]string{}, chromiumFlags[:]...)
	// As large as can be, yet not maximized: a Chromium that starts maximized
	// under mutter sometimes shows no toolbar (3 of 18 starts).
	args = append(args, "--window-position=0,0", fmt.Sprintf("--window-size=%d,%d", c.Size.W/c.Scale, (c.Size.H-PanelOf(c.Size, c.Scale).Height)/c.Scale))
	if c.Scale > 1 {
		args = append(args, "--force-device-scale-factor="+strconv.Itoa(c.Scale))
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox", "--test-type") // the latter takes away the bar that warns of the former
	}
	return args
}

// firefoxArgs name a profile of our own, so that Firefox neither asks for one
// nor makes one per installation.
func firefoxArgs(c Config) []string { return []string{"--profile", firefoxProfile(c)} }

func firefoxProfile(c Config) string { return filepath.Join(c.Home, ".mozilla", "firefox", "deskhand") }
