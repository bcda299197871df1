package evidence

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// scene is the one moment that all criteria are looked at in.
type scene struct {
	place   Place
	picture *deskhand.Image // as a model is shown it; nil until it is needed
	words   *string         // read off the screen; nil until they are needed
}

// settling is how long the screen may go on drawing before it is looked at.
const settling = 3 * time.Second

// look takes the picture, once.
func (s *scene) look(ctx context.Context) error {
	if s.picture != nil {
		return nil
	}
	if s.place.Desktop == nil {
		return unavailable("there is no screen to look at here")
	}
	if _, err := s.place.Desktop.Settle(ctx, desktop.Wait{Limit: settling}); err != nil {
		return err
	}
	p, err := s.place.Desktop.Screen(ctx, desktop.Shot{Size: s.place.Picture})
	if err != nil {
		return err
	}
	s.picture = deskhand.NewImage(p.MediaType, p.Size, p.Data)
	return nil
}

// reader is the program that reads letters, by a path that nothing inside can
// change.
const (
	reader      = "/usr/bin/tesseract"
	readerLimit = time.Minute
	enlarged    = 2 // letters on a screen are small for a program made for paper
)

// read reads the words on the screen, once. The program runs inside, since what
// it reads is hostile; the picture goes in by its standard input, so that
// nothing inside can put another in its place.
func (s *scene) read(ctx context.Context) (string, error) {
	if s.words != nil {
		return *s.words, nil
	}
	if err := s.look(ctx); err != nil {
		return "", err
	}
	if s.place.Sandbox == nil {
		return "", unavailable("nothing can be run here that reads the screen")
	}
	size, err := s.place.Desktop.Size(ctx)
	if err != nil {
		return "", err
	}
	big, err := s.place.Desktop.Screen(ctx, desktop.Shot{Format: desktop.PNG, Size: deskhand.Size{W: size.W * enlarged, H: size.H * enlarged}})
	if err != nil {
		return "", err
	}
	out, exit, err := run(ctx, s.place.Sandbox, readerLimit, big.Data, reader, "stdin", "stdout", "--psm", "11")
	switch {
	case deskhand.CodeOf(err) == deskhand.NotFound:
		return "", unavailable("the program that reads the screen is not installed (tesseract-ocr)")
	case err != nil:
		return "", err
	case exit.Status != 0:
		return "", unavailable("the program that reads the screen ended with status %d", exit.Status)
	}
	words := string(out)
	s.words = &words
	return words, nil
}

func lookAtText(ctx context.Context, s *scene, want string) (found, error) {
	words, err := s.read(ctx)
	if err != nil {
		return found{}, err
	}
	f := found{screen: true, finding: deskhand.Verified, evidence: fmt.Sprintf("%s can be read on the screen. Words on a screen say only that something draws them.", quote(want))}
	if !strings.Contains(letters(words), letters(want)) {
		f.finding, f.evidence = deskhand.Refuted, fmt.Sprintf("%s was not found among the words read off the screen.", quote(want))
	}
	return f, nil
}

// letters keeps letters and digits, in lower case: a reader of pictures is not
// to be trusted with blanks and points.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// maxTitles is how many titles are quoted when none fits.
const maxTitles = 5

func lookAtWindows(ctx context.Context, s *scene, want string) (found, error) {
	if err := s.look(ctx); err != nil {
		return found{}, err
	}
	windows, err := s.place.Desktop.Windows(ctx)
	if err != nil {
		return found{}, err
	}
	var titles []string
	for _, w := range windows {
		if strings.Contains(strings.ToLower(w.Title), strings.ToLower(want)) {
			return found{finding: deskhand.Verified, evidence: fmt.Sprintf("A window is titled %s.", quote(w.Title)), screen: true}, nil
		}
		if w.Title != "" && len(titles) < maxTitles {
			titles = append(titles, quote(w.Title))
		}
	}
	f := found{finding: deskhand.Refuted, evidence: "No window has a title.", screen: true}
	if len(titles) > 0 {
		f.evidence = "The windows are titled " + strings.Join(titles, ", ") + "."
	}
	return f, nil
}

func lookAtURL(ctx context.Context, s *scene, want string) (found, error) {
	if s.place.URL == nil {
		return found{}, unavailable("the address of the browser cannot be read here")
	}
	url, err := s.place.URL(ctx)
	if err != nil {
		return found{}, err
	}
	if !strings.HasPrefix(url, want) {
		return refuted("The page in front is %s.", quote(url))
	}
	return verified("The page in front is %s.", quote(url))
}
