// Package skill lets a model read skills: folders with a SKILL.md in the public
// Agent Skills form, in which a person wrote down how a kind of task is done. A
// model is told their names and what they are for, and reads them when it needs
// them.
//
// Trust: skills are given by the person who gives the task, and what stands in
// them is instruction, like --system. They are read once, before the task, into
// memory: nothing that happens during the task can change them. A folder is
// never left, also not through a link. Which skill and which file the model
// names is as hostile as any input.
package skill

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // the sizes of pictures are read, nothing else
	_ "image/png"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/deskhand/deskhand"
)

// Bounds of skills.
const (
	maxName        = 64      // characters, as the public form has it
	maxDescription = 1024    // characters, as the public form has it
	maxText        = 256e3   // bytes of a text
	maxPicture     = 3 << 20 // bytes of a picture
	maxSide        = 1568    // pixels of a picture's side: what every model looks at as it is
	maxFiles       = 200     // files of a skill
	maxSkills      = 50
)

// entry is the file that makes a folder a skill.
const entry = "SKILL.md"

// Skill is one skill, read.
type Skill struct {
	Name        string // letters, digits and hyphens
	Description string // what it is for, and when to use it; one line
	Dir         string // absolute path of the folder

	files map[string]file // by slash-separated path within the folder
}

// file is one file of a skill. One that cannot be shown says why.
type file struct {
	text    string
	picture *deskhand.Image
	why     string
}

// Load reads the skill in dir. Invalid: it is none; the text names the file.
func Load(dir string) (Skill, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Skill{}, deskhand.Errorf("", deskhand.Invalid, "the folder %q cannot be found: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Skill{}, deskhand.Errorf("", deskhand.Invalid, "the skill %s cannot be opened: %w", dir, cause(err))
	}
	defer root.Close()
	s := Skill{Dir: dir, files: map[string]file{}}
	if err := s.read(root); err != nil {
		return Skill{}, deskhand.Errorf("", deskhand.Invalid, "%s: %w", dir, err)
	}
	main, ok := s.files[entry]
	if !ok || main.why != "" {
		return Skill{}, deskhand.Errorf("", deskhand.Invalid, "%s: %s", filepath.Join(dir, entry), orElse(main.why, "there is no such file, so the folder is no skill"))
	}
	if err := s.frontMatter(main.text); err != nil {
		return Skill{}, deskhand.Errorf("", deskhand.Invalid, "%s: %w", filepath.Join(dir, entry), err)
	}
	return s, nil
}

// LoadAll reads the skill in each folder. Two of the same name are Invalid.
func LoadAll(dirs []string) ([]Skill, error) {
	if len(dirs) > maxSkills {
		return nil, deskhand.Errorf("", deskhand.Invalid, "there are %d skills, more than the %d that a task may have", len(dirs), maxSkills)
	}
	var out []Skill
	for _, dir := range dirs {
		s, err := Load(dir)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(out, func(o Skill) bool { return o.Name == s.Name }); i >= 0 {
			return nil, deskhand.Errorf("", deskhand.Invalid, "two skills are named %q: %s and %s", s.Name, out[i].Dir, dir)
		}
		out = append(out, s)
	}
	return out, nil
}

// In returns the folders in dir that hold a skill, in the order of their names.
// A folder that is not there has none.
func In(dir string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(escape(dir), "*", entry))
	if err != nil {
		return nil, deskhand.E("", deskhand.Internal, err)
	}
	var out []string
	for _, f := range found {
		out = append(out, filepath.Dir(f))
	}
	return out, nil
}

// escape takes the special meaning from the characters of a path in a pattern.
func escape(dir string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(dir, `\$0`)
}

func (s *Skill) read(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("%s cannot be read: %w", name, cause(err))
		case name != "." && strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return fs.SkipDir // .git and the like
		case d.IsDir() || strings.HasPrefix(d.Name(), "."):
			return nil
		case len(s.files) == maxFiles:
			return fmt.Errorf("it has more than %d files", maxFiles)
		}
		s.files[name] = readFile(root, name)
		return nil
	})
}

// readFile reads one file. What a model cannot be shown stays listed.
func readFile(root *os.Root, name string) file {
	info, err := root.Stat(name) // of what a link leads to, when that lies inside
	switch {
	case err != nil:
		return file{why: "it cannot be read"}
	case !info.Mode().IsRegular():
		return file{why: "it is not a file"}
	case info.Size() > maxPicture:
		return file{why: fmt.Sprintf("it is larger than %d MB", maxPicture>>20)}
	}
	data, err := root.ReadFile(name)
	if err != nil {
		return file{why: "it cannot be read"}
	}
	if size, format, err := image.DecodeConfig(bytes.NewReader(data)); err == nil {
		if size.Width > maxSide || size.Height > maxSide {
			return file{why: fmt.Sprintf("it is a picture of %dx%d, larger than %d on a side", size.Width, size.Height, maxSide)}
		}
		return file{picture: deskhand.NewImage("image/"+format, deskhand.Size{W: size.Width, H: size.Height}, data)}
	}
	switch {
	case !utf8.Valid(data) || bytes.ContainsRune(data, 0):
		return file{why: "it is neither a text in UTF-8 nor a picture (PNG, JPEG)"}
	case len(data) > maxText:
		return file{why: fmt.Sprintf("it is longer than %d kB", int(maxText/1000))}
	}
	return file{text: string(data)}
}

// namePattern is the public form's: no hyphen at an end, no two in a row.
var namePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// frontMatter reads name and description from between the two lines of hyphens
// that SKILL.md begins with.
func (s *Skill) frontMatter(text string) error {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	head, _, ok := strings.Cut(strings.TrimPrefix(text, "---\n"), "\n---")
	if !ok || !strings.HasPrefix(text, "---\n") {
		return errors.New(`it does not begin with a front matter: a line "---", name and description, a line "---"`)
	}
	var front struct {
		Name        string `yaml:"name"`
		Description string `yaml:"description"`
	}
	if err := yaml.Unmarshal([]byte(head), &front); err != nil {
		return fmt.Errorf("its front matter is not YAML: %s", strings.Join(strings.Fields(err.Error()), " "))
	}
	s.Name, s.Description = front.Name, strings.Join(strings.Fields(front.Description), " ")
	switch {
	case s.Name == "":
		return errors.New("its front matter has no name")
	case len(s.Name) > maxName || !namePattern.MatchString(s.Name):
		return fmt.Errorf("its name %q is not 1 to %d lower-case letters, digits and single hyphens", s.Name, maxName)
	case s.Name != filepath.Base(s.Dir):
		return fmt.Errorf("its name is %q and its folder is called %q; the two must be the same", s.Name, filepath.Base(s.Dir))
	case s.Description == "":
		return errors.New("its front matter has no description, so nobody can tell when to use it")
	case utf8.RuneCountInString(s.Description) > maxDescription:
		return fmt.Errorf("its description is longer than %d characters", maxDescription)
	}
	return nil
}

// clean returns name as a path within a skill.
func clean(name string) string { return path.Clean(strings.TrimPrefix(name, "./")) }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// cause returns why a file operation failed, without path and operation.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
