package script

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

const (
	maxImageBytes = 10 << 20 // of base64
	maxImageSide  = 8000
	maxRemembered = 4096 // images the server keeps the facts of
)

// seen is one image of a request.
type seen struct {
	where  string
	image  *content
	member bool // in a result of a toolset's member, or of a request that has one
}

func (r *request) allImages() []seen {
	toolset := slices.ContainsFunc(r.entries, func(t toolEntry) bool { return fixedTools()[t.Type].family != "" })
	var all []seen
	for i, t := range r.turns {
		for j, c := range t.blocks {
			if c.Type == "image" {
				all = append(all, seen{at(i, j) + ".image", c, false})
			}
			for _, in := range c.inner {
				if in.Type == "image" {
					all = append(all, seen{at(i, j) + ".tool_result.content", in, toolset && c.ToolsetName != nil})
				}
			}
		}
	}
	return all
}

// checkImages decodes every image and judges what it really is.
func (s *Server) checkImages(r *request) *refusal {
	all := r.allImages()
	if limit := r.info.Bounds.Images; len(all) > limit {
		return invalid("messages: too many images: %d > %d", len(all), limit)
	}
	limits := r.info.Limits.Many(len(all))
	for _, one := range all {
		if refused := s.checkImage(r, one, r.info.Limits, limits); refused != nil {
			return refused
		}
	}
	return nil
}

func (s *Server) checkImage(r *request, one seen, tier, limits model.Limits) *refusal {
	src := one.image.Source
	switch {
	case src == nil:
		return invalid("%s.source: Field required", one.where)
	case src.Type != "base64":
		return invalid("%s.source.type: this stand-in reads 'base64' only", one.where)
	case !slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, src.MediaType):
		return invalid("%s.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'", one.where)
	}
	data := r.data(src)
	if len(data) > maxImageBytes {
		return invalid("%s.source.base64: image exceeds 10 MB maximum: %d bytes > %d bytes", one.where, len(data), maxImageBytes)
	}
	f := s.facts(data)
	one.image.facts = f
	big := max(f.size.W, f.size.H)
	switch {
	case f.fault != "":
		return invalid("%s.source.base64.data: Could not process image: %s", one.where, f.fault)
	case "image/"+f.format != src.MediaType:
		return invalid("%s.source.base64.data: The image was specified using the %s media type, but the image appears to be a image/%s image", one.where, src.MediaType, f.format)
	case big > maxImageSide:
		return invalid("%s: image dimensions exceed max allowed size: %d pixels", one.where, maxImageSide)
	case limits.MaxSide != 0 && big > limits.MaxSide:
		return invalid("%s: image dimensions exceed max allowed size for many-image requests: %d pixels", one.where, limits.MaxSide)
	}
	if tier.Fits(f.size) {
		return nil
	}
	fit := model.Fit(f.size, tier)
	if one.member {
		return invalid("%s: image dimensions %s exceed the maximum image size of a model named on this request and would be downsized to %s; scale the image to at most %s", one.where, f.size, fit, fit)
	}
	shrunk := *f
	shrunk.size = fit
	one.image.facts = &shrunk
	return nil
}

// facts decodes an image, once for as long as it is remembered.
func (s *Server) facts(data []byte) *imageFacts {
	key := sha256.Sum256(data)
	if f, ok := s.images[key]; ok {
		return f
	}
	if len(s.images) >= maxRemembered {
		clear(s.images)
	}
	f := &imageFacts{}
	s.images[key] = f
	raw, err := base64.StdEncoding.AppendDecode(nil, data)
	if err != nil {
		f.fault = "it is not base64"
		return f
	}
	img, format, err := decode(raw)
	if err != nil {
		f.fault = err.Error()
		return f
	}
	f.size, f.format = deskhand.Size{W: img.Bounds().Dx(), H: img.Bounds().Dy()}, format
	return f
}
