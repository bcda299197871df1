package folder

import (
	"path"
	"slices"
	"strings"
)

// protected are names that somebody the person trusts executes or obeys later.
// A file below one of them, at any depth of the folder and whether it is there
// or not, is never applied, unless that name is unlocked. Letters count
// whatever their case: some file systems see no difference.
var protected = []string{
	// Shells, and what they load.
	".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout",
	".kshrc", ".cshrc", ".tcshrc", ".login", ".inputrc", ".envrc", ".direnvrc", ".config/fish", ".config/direnv",
	// What a session starts.
	".xinitrc", ".xsession", ".xsessionrc", ".xprofile", ".pam_environment", ".config/autostart", ".config/systemd", ".config/environment.d",
	".local/share/systemd", ".local/share/applications", ".local/share/dbus-1", ".local/bin",
	// Git.
	".git/hooks", ".git/config", ".git/config.worktree", ".git/modules", ".git/worktrees", ".git/commondir", ".git/info", ".gitconfig", ".gitmodules", ".config/git",
	// Keys and those who believe them.
	".ssh", ".gnupg", ".netrc",
	// Editors, builders and agents that run what a project says.
	".vimrc", ".vim", ".exrc", ".emacs", ".emacs.d", ".config/nvim", ".vscode", ".idea", ".husky", ".cargo", ".devcontainer", ".yarn", ".mvn",
	".npmrc", ".yarnrc.yml", ".pypirc", ".mcp.json", ".claude.json", ".claude", ".codex", ".cursor",
	// deskhand itself.
	".local/state/deskhand", ".config/deskhand",
}

// Protected lists the names that are never applied unless they are unlocked.
func Protected() []string { return slices.Clone(protected) }

// guard is what is protected in one folder.
type guard struct{ unlocked []string }

// name returns the protected name that rel, relative to a folder at root, lies at or
// below, and "" when there is none. The folder itself may be inside of one: .git
// shared as a folder protects its hooks.
func (g guard) name(root, rel string, isFolder bool) string {
	full := "/" + strings.ToLower(strings.Trim(path.Join(root, rel), "/")) + "/"
	for _, p := range protected {
		if !slices.Contains(g.unlocked, p) && strings.Contains(full, "/"+p+"/") {
			return p
		}
	}
	// A .git that is a file or a link says where the real one is.
	if !isFolder && strings.HasSuffix(full, "/.git/") && !slices.Contains(g.unlocked, ".git") {
		return ".git"
	}
	return ""
}

// inBare is name for a folder that git would take for a repository without a
// working copy, whatever it is called.
func (g guard) inBare(name string) string {
	for _, p := range []string{".git/hooks", ".git/config"} {
		if strings.EqualFold(name, path.Base(p)) && !slices.Contains(g.unlocked, p) {
			return p
		}
	}
	return ""
}
