package policy

import (
	"net/url"
	"path"
	"strings"
)

// Context is what is known of the moment, as plain data that the caller looked
// up. What is not known is empty, and never makes a verdict milder.
type Context struct {
	Sandboxed bool     // the call acts inside a sandbox
	Plan      Standing // where the call stands to the task's plan, when Bounds is nil
	Bounds    *Bounds  // what the accepted plan covers; nil: none was accepted, or Plan says it

	Window  Window  // that has the focus, or lies under the point
	Element Element // under the point, or with the focus when keys are pressed
	URL     string  // of the page in front
	Dir     string  // the shell's directory, absolute; empty: relative paths match no allow rule
	Home    string  // what ~ stands for, absolute

	// Reshaped says that an earlier command of this shell session may have
	// changed what commands mean (Explanation.Reshapes of one that ran): then no
	// command is harmless by its name, and no allow rule for bash counts.
	Reshaped bool
}

// Standing is where a call stands to a plan.
type Standing string

// The standings.
const (
	NoPlan  Standing = ""        // none was accepted
	Inside  Standing = "inside"  // the accepted plan covers the call
	Outside Standing = "outside" // it does not
)

// Window is a window of the desktop.
type Window struct {
	Class string // WM_CLASS, either part
	Title string
}

// Element is something on the screen that can be acted on.
type Element struct {
	Role string // as the accessibility tree or the DOM calls it
	Name string
}

// Programs by the class of their windows, in lower case.
var (
	terminals = words(`xterm uxterm gnome-terminal gnome-terminal-server org.gnome.terminal konsole xfce4-terminal lxterminal mate-terminal
		terminator tilix alacritty kitty urxvt rxvt st st-256color foot wezterm org.wezfurlong.wezterm ghostty com.mitchellh.ghostty
		qterminal terminology kgx org.gnome.console org.gnome.ptyxis cool-retro-term guake tilda yakuake eterm hyper tabby x-terminal-emulator`)
	launchers = words(`gmrun xfce4-appfinder krunner rofi dmenu ulauncher albert synapse gnome-shell mate-panel lxpanel lxqt-runner fuzzel wofi bemenu kupfer`)
	managers  = words(`pcmanfm nautilus org.gnome.nautilus thunar dolphin org.kde.dolphin nemo caja spacefm pcmanfm-qt`)
	mailers   = words(`thunderbird thunderbird-default evolution kmail claws-mail geary sylpheed betterbird mutt`)
	browsers  = words(`chromium chromium-browser google-chrome chrome firefox firefox-esr navigator epiphany org.gnome.epiphany brave-browser microsoft-edge vivaldi opera`)
)

// runDialogs are words in the title of a dialog that runs what is typed.
var runDialogs = []string{"run command", "run program", "run application", "enter command", "befehl ausführen", "anwendung ausführen", "exécuter une commande", "ejecutar", "esegui un"}

func words(s string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		m[w] = true
	}
	return m
}

func (w Window) is(set map[string]bool) bool { return set[strings.ToLower(w.Class)] }

// runsTyped reports whether text typed into w runs as a command.
func (w Window) runsTyped() bool {
	if w.is(terminals) || w.is(launchers) {
		return true
	}
	title := strings.ToLower(w.Title)
	for _, words := range runDialogs {
		if strings.Contains(title, words) {
			return true
		}
	}
	return false
}

// paymentWords are parts of an address or a title that make a page one where
// money is spent.
var paymentWords = words(`checkout payment payments pay purchase billing kasse bezahlung bezahlen zahlung paiement panier-paiement pago pagar pagos pagamento
	cassa kassa betaling afrekenen platnosc oplata 支付 付款 结账 支払い お支払い 購入手続き оплата 결제 checkout-page placeorder place-order`)

// payment reports whether the page is one where money is spent.
func (c Context) payment() bool {
	if u, err := url.Parse(c.URL); err == nil {
		for _, part := range strings.FieldsFunc(strings.ToLower(u.Host+"/"+u.Path), func(r rune) bool { return strings.ContainsRune("/._", r) }) {
			if paymentWords[part] {
				return true
			}
		}
	}
	if c.URL == "" && !c.Window.is(browsers) {
		return false
	}
	for _, part := range strings.Fields(strings.ToLower(c.Window.Title)) {
		if paymentWords[strings.Trim(part, "-–—|:·")] && part != "pay" {
			return true
		}
	}
	return false
}

// obeyed are names that programs execute or take as configuration later, by
// base name, and parts of paths that hold such.
var (
	obeyed = words(`.bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zprofile .zshenv .zlogin .inputrc .gitconfig .gitmodules
		.envrc .npmrc .yarnrc .pypirc .netrc .mcp.json .claude.json .vimrc .exrc .nanorc .emacs .xinitrc .xsession .xsessionrc .xprofile .tmux.conf .screenrc
		.curlrc .wgetrc authorized_keys known_hosts crontab sitecustomize.py usercustomize.py .pythonrc .pam_environment .login .cshrc .tcshrc .kshrc .mkshrc`)
	obeyedIn = []string{"/.git/", "/.ssh/", "/.config/autostart/", "/.config/systemd/", "/.config/git/", "/.config/fish/", "/.local/bin/", "/bin/", "/sbin/", "/etc/",
		"/.husky/", "/.vscode/", "/.idea/", "/.claude/", "/.codex/", "/.local/share/applications/", "/.config/environment.d/", "/.local/share/dbus-1/", "/.gnupg/",
		"/site-packages/", "/.local/lib/", "/lib/systemd/", "/cron.d/", "/spool/cron/", "/.config/deskhand/", "/.deskhand/", "/.devcontainer/", "/.cargo/", "/.docker/", "/.kube/", "/proc/", "/sys/"}
)

// obeys reports whether what is written to file is obeyed later by some program.
func obeys(file string) bool {
	file = strings.ToLower(file)
	if obeyed[path.Base(file)] {
		return true
	}
	for _, part := range obeyedIn {
		if strings.Contains("/"+file+"/", part) {
			return true
		}
	}
	return false
}
