// Things to drag, slide, draw and aim at.

const way = {left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1]};
// afterDrag clicks once the page, which takes no click right after a drag, does.
async function* afterDrag(button) {
  await pause(100);
  yield [click(button)];
}
const dragAway = selector => async function* () {
  const [dx, dy] = way[utterance().match(/(left|right|up|down) then/)[1]], from = middle($(selector));
  yield [drag(from, [from[0] + dx * 40, from[1] + dy * 40])];
  yield* afterDrag(submit());
};

// slide drags a slider's handle about to a value and goes the rest by keys.
async function* slide(slider, low, high, want, now) {
  const handle = $('.ui-slider-handle', slider), r = slider.getBoundingClientRect(), upright = slider.classList.contains('ui-slider-vertical');
  const part = (want - low) / (high - low);
  const goal = upright ? [r.left + r.width / 2, r.bottom - part * r.height] : [r.left + part * r.width, r.top + r.height / 2];
  if (now() !== want) {
    yield [drag(middle(handle), goal)];
    await still(now);
  }
  for (let tries = 0; now() !== want && tries < 5; tries++) {
    const off = want - now();
    if (document.activeElement !== handle) yield [click(middle(handle))];
    yield [key(off > 0 ? 'Right' : 'Left', Math.abs(off))];
    await still(now);
  }
}

// Circles of an SVG, and the point of the page whose click draws one there: these
// pages take the page's x for the drawing's, and the page's y less 50.
const circle = c => [c.cx.baseVal.value, c.cy.baseVal.value];
const draw = ([x, y]) => [x, y + 50];
// box is the corner by which these pages measure a circle.
const box = e => { const b = e.getBBox(); return [b.x, b.y]; };
const apart = (p, q) => Math.hypot(p[0] - q[0], p[1] - q[1]);
const angle = (a, v, b) => Math.acos((apart(v, a) ** 2 + apart(v, b) ** 2 - apart(a, b) ** 2) / (2 * apart(v, a) * apart(v, b))) * 180 / Math.PI;
// aim clicks the whole pixel of the drawing for which the page pays most, by its
// own reckoning, and submits. The page is told no fractions of a pixel, and draws
// a circle of the radius there.
function* aim(pays, radius = 3.5) {
  let top = -Infinity, point;
  for (let x = 6; x < 146; x++) {
    for (let y = 8; y < 126; y++) {
      const reward = pays([x - radius, y - radius]);
      if (reward > top && hits($('svg'), ...draw([x, y]))) { top = reward; point = [x, y]; }
    }
  }
  if (top < 1) atMost(top, 'no whole pixel is nearer to what the page measures');
  yield [click(draw(point)), click($('#subbtn'))];
}

const sort = async function* (target) {
  const items = () => $$('#sortable li:not(.ui-sortable-placeholder)');
  const [, name, where] = utterance().match(/^Drag (.*?) (to the .*|up .*|down .*|left .*|right .*)\.$/);
  const all = items(), i = all.findIndex(li => text(li) === name), j = target(where, i);
  const [x, y] = middle(all[j]), [fromX, fromY] = middle(all[i]);
  yield [drag([fromX, fromY], [x + Math.sign(x - fromX) * 4, y + Math.sign(y - fromY) * 4])];
};

const inList = (where, i) => {
  const nth = where.match(/(\d+)(st|nd|rd|th)/);
  if (nth) return nth[1] - 1;
  return {'to the top': 0, 'to the bottom': $$('#sortable li').length - 1, 'up by one position': i - 1, 'down by one position': i + 1}[where];
};
const inGrid = (where, i) => ({
  'to the top left': 0, 'to the top center': 1, 'to the top right': 2, 'to the center left': 3, 'to the center': 4, 'to the center right': 5,
  'to the bottom left': 6, 'to the bottom center': 7, 'to the bottom right': 8, 'up by one': i - 3, 'down by one': i + 3, 'left by one': i - 1, 'right by one': i + 1,
})[where];

const loose = () => $$('#area_svg > *').filter(e => e.id !== 'shape-container');
const tags = {rectangles: 'rect', circles: 'circle', triangles: 'polygon'};

// turn turns the cube by an angle: it goes on for a while when the pointer has
// stopped, by about 1.18 degrees a pixel in all, and stands still at last.
const cube = () => $('.cube').style.transform.match(/rotateX\((.*)deg\) rotateY\((.*)deg\)/).slice(1).map(Number);
async function* turn(axis, goal, near) {
  const off = () => ((goal - cube()[axis]) % 360 + 540) % 360 - 180;
  const [x, y] = middle($('.viewport'));
  for (let tries = 0; Math.abs(off()) > near && tries < 20; tries++) {
    const by = Math.sign(off()) * Math.min(64, Math.max(12, Math.abs(off()) / 1.18));
    yield [move([x, y]), down(), move(axis === 0 ? [x, y - by] : [x + by, y])];
    await still(cube);
    yield [up()];
    await still(cube);
  }
}

Object.assign(tasks, {
  'drag-cube': async function* () {
    const side = Number(quoted()[0]), shows = () => Number(text($('.cube-image.active')));
    if (shows() !== side) {
      yield* turn(0, {1: 264, 6: 88}[side] ?? 0, 20);
      if (side > 1 && side < 6) yield* turn(1, {2: 0, 3: 269, 4: 177, 5: 86}[side], 20);
    }
    await soon('the side', () => shows() === side, 1000);
    yield [move($('#subbtn'))];
    await pause(100); // the cube follows a pointer that comes from afar with the button down
    yield [click($('#subbtn'))];
  },
  'drag-box': function* () { yield [drag($('#draggableSmall'), middle($('#draggableLarge'))), click($('#subbtn'))]; },
  'drag-circle': dragAway('#area svg circle'),
  'drag-single-shape': dragAway('#area svg .black-shape'),
  'drag-items': () => sort(inList),
  'drag-items-grid': () => sort(inGrid),
  'drag-sort-numbers': async function* () {
    const items = () => $$('#sortable li:not(.ui-sortable-placeholder)');
    for (let i = 0; i < 3; i++) {
      const all = items(), least = all.slice(i).sort((a, b) => Number(text(a)) - Number(text(b)))[0];
      if (least === all[i]) continue;
      const [x, y] = middle(all[i]);
      yield [drag(middle(least), [x, y - 6])];
      await soon('the number to be let go', () => !$('.ui-sortable-helper'));
    }
    yield [click($('#subbtn'))];
  },
  'drag-shapes': async function* () {
    const tag = tags[utterance().match(/all (\w+)/)[1]], box = middle($('#shape-container'));
    yield [...loose().filter(e => e.tagName === tag).map(e => drag(e, box))];
    yield* afterDrag($('#subbtn'));
  },
  'drag-shapes-2': async function* () {
    const what = utterance().match(/all (\w+)/)[1], [left, right] = $$('#shape-container').map(middle);
    const chosen = e => tags[what] ? e.tagName === tags[what] : e.getAttribute('fill') === what;
    yield [...loose().map(e => drag(e, chosen(e) ? left : right))];
    yield* afterDrag($('#subbtn'));
  },
  'resize-textarea': function* () {
    const by = /larger/.test(utterance()) ? 15 : -15, [x, y] = spot($('.ui-resizable-se'));
    yield [drag([x, y], [x + by, y + by]), click($('#submit'))];
  },
  'use-slider': async function* () {
    // The bounds are not written anywhere: the ends of the track tell them.
    const now = () => Number(text($('#val'))), want = Number(utterance().match(/Select (-?\d+)/)[1]);
    const handle = $('.ui-slider-handle');
    yield [click(middle(handle)), key('Home')];
    await still(now);
    const low = now();
    yield [key('End')];
    await still(now);
    yield* slide($('#slider'), low, now(), want, now);
    yield [click($('#subbtn'))];
  },
  'use-slider-2': async function* () {
    for (const [i, want] of JSON.parse(utterance().match(/\[.*\]/)[0]).entries()) {
      yield* slide($('#slider-' + (i + 1)), 0, 20, want, () => Number(text($('#val-' + (i + 1)))));
    }
    yield [click($('#subbtn'))];
  },
  'form-sequence': async function* () {
    yield* slide($('#slider'), -10, 10, Number(utterance().match(/Select (-?\d+)/)[1]), () => Number(text($('#val'))));
    yield [click($('#checkbox-' + ordinal(utterance()))), click($('#subbtn'))];
  },
  'use-spinner': function* () {
    const n = Number(utterance().match(/Select (-?\d+)/)[1]);
    yield [...Array.from({length: Math.abs(n)}, () => click($(n > 0 ? '.ui-spinner-up' : '.ui-spinner-down'))), click($('#subbtn'))];
  },
  'circle-center': function* () {
    const c = $('.black-circle'), [x, y] = circle(c), r = c.r.baseVal.value;
    yield* aim(p => 1 - apart(p, [x - 3, y - 3]) / r);
  },
  'find-midpoint': function* () {
    const [a, b] = $$('.black-circle').map(box);
    yield* aim(p => 1 - apart(p, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]) / 30);
  },
  'right-angle': function* () {
    const a = box($('#init-black')), v = box($('#init-blue'));
    yield* aim(p => apart(p, v) < 25 ? -1 : 1 - Math.abs(90 - angle(a, v, p)) / 90, 3);
  },
  'bisect-angle': function* () {
    const [a, b] = $$('.init-black').map(box), v = box($('.init-blue')), whole = angle(a, v, b);
    yield* aim(p => {
      const wider = Math.max(angle(a, v, p), angle(b, v, p));
      return apart(p, v) < 20 || !(wider <= whole) ? -1 : (whole - wider) / (whole / 2);
    });
  },
  'draw-circle': async function* () {
    const [x, y] = middle($('#circ')), on = i => [x + 20 * Math.cos(i * Math.PI / 10), y + 20 * Math.sin(i * Math.PI / 10)];
    yield [move(on(0)), down(), ...Array.from({length: 20}, (_, i) => move(on(i + 1))), up()];
    yield* afterDrag(submit());
  },
  'draw-line': async function* () {
    const [x, y] = middle($('#circ')), [dx, dy] = /horizontal/.test(utterance()) ? [26, 0] : [0, 26];
    yield [move([x - dx, y - dy]), down(), move([x, y]), move([x + dx, y + dy]), up()];
    yield* afterDrag(submit());
  },
  'hot-cold': async function* () {
    // Every place that the signals so far allow; look where they are halved.
    const area = $('#touch-area').getBoundingClientRect(), heard = [];
    addEventListener('mousemove', e => { if ($('#signal')) heard.push([e.pageX, e.pageY, text($('#signal'))]); });
    const ring = {HOT: [0, 5], WARM: [5, 10], COLD: [10, 40], 'ICE COLD': [40, 999]};
    let places = [];
    for (let x = 5; x < 155; x++) for (let y = 5; y < 120; y++) places.push([x, y + 50]);
    const allowed = p => heard.every(([x, y, s]) => { const d = Math.hypot(p[0] - x, p[1] - y); return d >= ring[s][0] && d < ring[s][1]; });
    let look = [];
    for (let x = 25; x < 150; x += 35) for (let y = 25; y < 120; y += 35) look.push([x, y + 50]);
    for (let round = 0; round < 12; round++) {
      yield look.map(move);
      places = places.filter(allowed);
      const hot = heard.find(h => h[2] === 'HOT');
      if (hot) return yield [click([hot[0], hot[1]])];
      const inside = ([x, y]) => x > area.left + 1 && x < area.right - 1 && y > area.top + 1 && y < area.bottom - 1;
      const reachable = places.filter(inside);
      const pool = reachable.length ? reachable : places.map(([x, y]) => [Math.min(area.right - 2, Math.max(area.left + 2, x)), Math.min(area.bottom - 2, Math.max(area.top + 2, y))]);
      look = Array.from({length: 8}, (_, i) => pool[Math.floor((i + 0.5) * pool.length / 8)]);
    }
    fail('nowhere is hot');
  },
});
