// Things to click: buttons, boxes, links, tabs, menus, dialogs, shapes.

const submit = () => named('button', 'Submit');
const clickQuoted = function* () { yield [click(named('#area button', quoted()[0]))]; };
const clickAll = selector => function* () { yield $$(selector).map(e => click(e)); };

// Lists of checkboxes or radio buttons with labels.
const label = name => $$('label').find(l => text(l) === name) || fail('no label ' + name);
const labels = function* () {
  const names = utterance().match(/^Select (?:words similar to )?(.*) and click Submit/)[1];
  yield [...(names === 'nothing' ? [] : names.split(', ').map(n => click($('input', label(n))))), click(submit())];
};
const synonyms = function* () {
  const groups = constant('SYNONYMS');
  const wanted = utterance().match(/similar to (.*) and click/)[1].split(', ');
  const same = (a, b) => groups.some(g => g.includes(a) && g.includes(b));
  yield [...$$('label').filter(l => wanted.some(w => same(w, text(l)))).map(l => click($('input', l))), click(submit())];
};

// Links behind headers, tabs or nothing.
const links = () => $$('.alink').filter(e => text(e) === quoted()[0].trim());
const clickLink = function* () { yield [click(links()[0])]; };
const accordionLink = async function* () {
  const link = links()[0], content = link.closest('.ui-accordion-content');
  yield [click(content.previousElementSibling)];
  await soon('the section', () => shown(content));
  await restful(content);
  yield* press(link);
};
const accordionSubmit = async function* () {
  yield [click($('#area h3'))];
  await soon('the section', () => shown($('.ui-accordion-content')));
  await restful($('#subbtn'));
  yield* press($('#subbtn'));
};
const tabLink = async function* () {
  const link = links().find(shown) || links()[0];
  if (!link) return yield [click($$('#area ul li')[1])]; // it must be in the tab that is empty
  if (!shown(link)) {
    yield [click($(`#area ul a[href="#${link.closest('[role=tabpanel]').id}"]`))];
    await soon('the tab', () => shown(link));
  }
  yield [click(link)];
};

// Shapes and letters of an SVG, as descriptions say them.
const size = e => ({text: () => parseFloat(e.getAttribute('font-size')), rect: () => e.width.baseVal.value, circle: () => e.r.baseVal.value * 2, polygon: () => e.getBBox().width})[e.tagName]();
const kinds = e => e.tagName === 'text' ? [text(e), /\d/.test(text(e)) ? 'digit' : 'letter'] : ['shape', {rect: 'rectangle', circle: 'circle', polygon: 'triangle'}[e.tagName]];
const described = words => {
  const parts = words.trim().split(' '), kind = parts.pop();
  return $$('#area_svg > *').filter(e => (kind === 'item' || kinds(e).includes(kind)) &&
    parts.every(p => p === 'large' ? size(e) > 15 : p === 'small' ? size(e) <= 15 : e.getAttribute('fill') === p));
};

// Menus of jQuery UI open below the pointer.
const openBelow = async function* (item) {
  yield [move($('div', item))];
  const menu = $('ul', item);
  await soon('the submenu', () => shown(menu));
  await restful(menu);
};

Object.assign(tasks, {
  'click-test': clickAll('#subbtn'),
  'click-test-2': clickAll('#subbtn'),
  'click-test-transfer': clickAll('#subbtn'),
  'click-button': clickQuoted,
  'unicode-test': clickQuoted,
  'click-button-sequence': clickAll('#subbtn, #subbtn2'),
  'button-delay': async function* () {
    // The page wants the time to the sixth part: a look at its clock after the first
    // click tells what is left, less a little for the way to the second.
    const seconds = Number(utterance().match(/wait (\d+) seconds/)[1]), first = $('#subbtn');
    let begun = 0;
    first.addEventListener('click', () => { begun = performance.now(); });
    yield [click(first), move($('#subbtn2'))];
    await soon('the click', () => begun);
    await pause(Math.max(0, begun + seconds * 950 - performance.now()));
    yield [click($('#subbtn2'))];
  },
  'click-checkboxes': labels,
  'click-checkboxes-large': labels,
  'click-checkboxes-transfer': labels,
  'click-checkboxes-soft': synonyms,
  'click-option': labels,
  'click-link': clickLink,
  'click-collapsible': accordionSubmit,
  'click-collapsible-nodelay': accordionSubmit,
  'click-collapsible-2': accordionLink,
  'click-collapsible-2-nodelay': accordionLink,
  'click-tab': function* () { yield [click(named('#area ul a', utterance().match(/Tab #\d/)[0]))]; },
  'click-tab-2': tabLink,
  'click-tab-2-easy': tabLink,
  'click-tab-2-medium': tabLink,
  'click-tab-2-hard': tabLink,
  'click-color': function* () {
    const said = $('#query').children[0];
    const colour = said.tagName === 'DIV' ? said.style.backgroundColor : text(said);
    yield [click($(`#area .color[data-color="${colour}"]`))];
  },
  'click-shades': function* () {
    const colour = utterance().match(/shades of (\w+)/)[1];
    yield [...$$(`#area span[data-color=${colour}]`).map(e => click(e)), click($('#submit'))];
  },
  'click-dialog': function* () { yield [click($('.ui-dialog-titlebar-close'))]; },
  'click-dialog-2': function* () {
    const name = quoted()[0];
    yield [click(name === 'x' ? $('.ui-dialog-titlebar-close') : named('.ui-dialog-buttonpane button', name))];
  },
  'click-widget': function* () { yield [click($(`[data-type=${quoted()[0]}]`))]; },
  'click-shape': function* () { yield [click(described(utterance().replace('Click on a ', ''))[0])]; },
  'count-shape': function* () {
    const n = described(utterance().match(/How many (.*)s are there/)[1]).length;
    yield [click(named('#count-buttons button', String(n)))];
  },
  'identify-shape': function* () {
    const kind = kinds($('#area_svg > *')).filter(k => k.length > 1 && k !== 'shape')[0];
    yield [click($(`button[data-type=${kind}]`))];
  },
  'count-sides': function* () {
    // Around the corners' circle the drawn line is met once per corner.
    const c = $('#c'), image = c.getContext('2d').getImageData(0, 0, c.width, c.height);
    const dark = a => image.data[4 * (Math.round(50 + 35 * Math.sin(a)) * c.width + Math.round(75 + 35 * Math.cos(a))) + 3] > 90;
    let corners = 0, light = 0;
    const start = [...Array(720).keys()].find(i => [...Array(40).keys()].every(k => !dark((i + k) * Math.PI / 360)));
    for (let i = start; i < start + 720; i++) {
      if (!dark(i * Math.PI / 360)) { light++; continue; }
      if (light >= 30) corners++; // a corner may have a notch
      light = 0;
    }
    yield [click($(`button[data-sides="${corners}"]`))];
  },
  'grid-coordinate': function* () {
    const id = utterance().match(/\(-?\d,-?\d\)/)[0];
    yield [click($$('circle').find(c => c.id === id))];
  },
  'ascending-numbers': async function* () {
    yield [click($$('svg text').find(e => text(e) === '1'))];
    await soon('the squares', () => $('svg rect'));
    yield $$('svg rect').sort((a, b) => a.dataset.index - b.dataset.index).map(e => click(e));
  },
  'click-menu': async function* () {
    const path = utterance().replace('Select ', '').split('>');
    let list = $('#menu');
    for (const [i, name] of path.entries()) {
      const item = [...list.children].find(li => text($('div', li)) === name);
      if (i === path.length - 1) return yield [click($('div', item))];
      yield* openBelow(item);
      list = $('ul', item);
    }
  },
  'click-menu-2': async function* () {
    yield [click($('#open-menu'))];
    await soon('the menu', () => shown($('#menu')));
    const icon = $('#query .ui-icon'), name = quoted()[1];
    const item = $$('#menu li').find(li => !$('ul', li) && (icon ? $('.' + icon.classList[1], li) : text(li) === name));
    const above = item.parentElement.closest('li');
    if (above) yield* openBelow(above);
    yield [click($('div', item))];
  },
  'click-pie': async function* () {
    const name = utterance().match(/labeled "(.*)"/)[1];
    const centre = middle($('#divWheel svg [id*=spreader]'));
    yield [click(centre)];
    const title = () => $$('#divWheel svg text').find(e => text(e) === name);
    const apart = () => Math.hypot(middle(title())[0] - centre[0], middle(title())[1] - centre[1]);
    await soon('the slices', () => title() && apart() > 20);
    await restful(title());
    if (title().getAttribute('class')?.includes('selected') || getComputedStyle(title()).fill === 'rgb(255, 255, 255)') {
      nobody('the wheel starts with this item selected, and takes no second choice of it');
    }
    yield [click(middle(title()))];
  },
  'find-greatest': function* () {
    const best = $$('.card').sort((a, b) => Number(text(b)) - Number(text(a)))[0];
    yield [click(best), click($('#submit'))];
  },
  'odd-or-even': function* () {
    yield [...$$('.row').map(r => click($(Number(text($('.display-number', r))) % 2 ? '.odd' : '.even', r))), click($('#submit'))];
  },
  'number-checkboxes': function* () {
    const pattern = constant('PATTERNS')[Number(quoted()[0])].flat();
    yield [...$$('#checkboxes input').filter((_, i) => pattern[i]).map(e => click(e)), click($('#subbtn'))];
  },
  'generate-number': async function* () {
    const [, less, more] = utterance().match(/less than (\d+)|greater than (\d+)|odd|even/);
    const right = n => less ? n < less : more ? n > more : /odd/.test(utterance()) ? n % 2 === 1 : n % 2 === 0;
    do {
      yield [click($('#generate'))];
      await still(() => text($('#display-number')));
    } while (!right(Number(text($('#display-number')))));
    yield [click($('#submit'))];
  },
  'focus-text': clickAll('#tt'),
  'focus-text-2': function* () { yield [click($$('#area input')[ordinal(utterance()) - 1])]; },
  'navigate-tree': async function* () {
    const name = quoted()[0], target = $$('#tree span').find(e => text(e) === name);
    const above = [];
    for (let li = target.closest('li').parentElement.closest('li'); li; li = li.parentElement.closest('li')) above.unshift(li);
    for (const li of above) {
      yield [click($(':scope > span', li))];
      await soon('the folder', () => shown($(':scope > ul', li)));
      await restful($(':scope > ul', li));
    }
    yield [click(target)];
  },
  'buy-ticket': function* () {
    const [, how] = utterance().match(/with the (.*)\./), field = /cost/.test(how) ? 'price' : 'duration';
    const all = $$('.flight').map(f => [Number($(`[data-${field}]`, f).dataset[field]), $('.buy-ticket', f)]).sort((a, b) => a[0] - b[0]);
    yield* [[click((/cheapest|shortest/.test(how) ? all[0] : all.at(-1))[1])]];
  },
  'simon-says': async function* () {
    let seen = 0;
    await soon('the buttons to stop', () => {
      const last = simon.at(-1);
      seen = last ? performance.now() - last[1] : 0;
      return simon.length >= 3 && seen > 1000;
    });
    yield simon.map(([b]) => click(b));
  },
});
tasks['tic-tac-toe'] = async function* () {
  const cells = $$('.ttt-row span'), lines = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]];
  const board = () => cells.map(c => c.classList.contains('mark-x') ? 1 : c.classList.contains('mark-o') ? -1 : 0);
  const won = (b, who) => lines.some(l => l.every(i => b[i] === who));
  const free = b => [...b.keys()].filter(i => !b[i]), put = (b, i, who) => b.with(i, who);
  // sure is what who, whose turn it is, can force: 1, 0 or -1; hope is that when the other side moves at random.
  const sure = (b, who) => won(b, -who) ? -1 : free(b).length ? Math.max(...free(b).map(i => -sure(put(b, i, who), -who))) : 0;
  const after = b => won(b, 1) ? 1 : !free(b).length ? 0 : free(b).reduce((sum, i) => sum + (won(put(b, i, -1), -1) ? 0 : hope(put(b, i, -1))), 0) / free(b).length;
  const hope = b => free(b).length ? Math.max(...free(b).map(i => after(put(b, i, 1)))) : 0;
  for (;;) {
    const now = board(), moves = free(now).map(i => [i, -sure(put(now, i, 1), -1), after(put(now, i, 1))]).sort((a, b) => b[1] - a[1] || b[2] - a[2]);
    if (moves.every(([,, chance]) => chance === 0)) nobody('it can only be a draw: the other side, which plays by dice, made no mistake');
    yield [click(cells[moves[0][0]])];
    await soon('the answer', () => won(board(), 1) || won(board(), -1) || free(board()).length <= free(now).length - 2);
    if (won(board(), 1)) return;
  }
};
tasks['click-pie-nodelay'] = tasks['click-pie'];

const simon = [];
early['simon-says'] = () => new MutationObserver(changes => {
  for (const c of changes) if (c.target.classList.contains('push')) simon.push([c.target, performance.now()]);
}).observe($('#area'), {attributes: true, attributeFilter: ['class'], subtree: true});
