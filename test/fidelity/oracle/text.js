// Things to type, copy, select and scroll.

const enter = (selector, answer) => function* () { yield [...fill($(selector), answer()), click(submit())].flat(); };
const login = async function* () {
  const [user, password] = quoted();
  for (const [selector, value] of [['#username', user], ['#password', password]]) {
    yield [click($(selector))];
    await still(() => [!!$('#popup'), document.activeElement.id]);
    if ($('#popup')) {
      yield [click($('#popup-cancel'))];
      await soon('the popup to go', () => !$('#popup'));
      yield [click($(selector))];
    }
    yield [type(value)];
  }
  yield [click($('#subbtn'))];
};

// stretch is a drag over the characters of an element, or over a word of them.
const stretch = (e, part) => {
  const walk = document.createTreeWalker(e, NodeFilter.SHOW_TEXT), chars = [];
  while (walk.nextNode()) for (let i = 0; i < walk.currentNode.data.length; i++) chars.push([walk.currentNode, i]);
  const all = chars.map(([n, i]) => n.data[i]).join('');
  const first = part ? ` ${all} `.search(new RegExp('\\s' + CSS.escape(part) + '\\s')) : all.search(/\S/);
  const last = part ? first + part.length - 1 : all.trimEnd().length - 1;
  const box = ([n, i]) => { const r = document.createRange(); r.setStart(n, i); r.setEnd(n, i + 1); const all = r.getClientRects(); return all[all.length - 1]; };
  const a = box(chars[first]), b = box(chars[last]);
  return drag([a.left + 0.5, (a.top + a.bottom) / 2], [b.right - 0.5, (b.top + b.bottom) / 2]);
};

const copyFrom = e => function* () {
  yield [click(e()), key('ctrl+a'), key('ctrl+c'), click($('#answer-input')), key('ctrl+v'), click(submit())];
};
const films = function* () {
  const [, genre, director, year] = utterance().match(/Search for (.*) movies directed by (.*) from year (\d+)/);
  const rows = $$('#area input[type=text]').map(i => [i, text(i.closest('tr, .row, .field, .ui-entry, p'))]);
  const box = what => rows.find(([, label]) => what.test(label))[0];
  yield [fill(box(/genre/i), genre), fill(box(/director/i), director), fill(box(/year|date/i), year), click($('#area button, #area .final, #area .ui-submit'))].flat();
};
// table reads a table of two columns.
const table = () => Object.fromEntries($$('#tab tr').map(tr => [...tr.children].map(text)));

Object.assign(tasks, {
  'enter-text': enter('#tt', () => quoted()[0]),
  'enter-text-dynamic': enter('#tt', () => quoted()[0]),
  'enter-text-2': enter('#tt', () => /upper/.test(utterance()) ? quoted()[0].toUpperCase() : quoted()[0].toLowerCase()),
  'enter-password': function* () {
    const word = quoted()[0];
    yield [...fill($('#password'), word), ...fill($('#verify'), word), click(submit())].flat();
  },
  'text-transform': enter('#tt', () => $$('#captcha span').map(s => s.textContent).join('')),
  'enter-date': function* () {
    const [m, d, y] = utterance().match(/\d+\/\d+\/\d+/)[0].split('/');
    const r = $('#tt').getBoundingClientRect();
    yield [click([r.left + 8, r.top + r.height / 2]), type(m.padStart(2, '0') + d.padStart(2, '0') + y), click(submit())];
  },
  'enter-time': function* () {
    const [, h, m, half] = utterance().match(/(\d+):(\d+)\s?([AP]M)/);
    const r = $('#tt').getBoundingClientRect();
    yield [click([r.left + 8, r.top + r.height / 2]), type(h.padStart(2, '0') + m + half[0].toLowerCase()), click(submit())];
  },
  'login-user': login,
  'login-user-popup': login,
  'find-word': enter('#answer-input', () => text($('#area p')).split(' ')[ordinal(utterance()) - 1].replace(/[^a-zA-Z]/g, '')),
  'simple-arithmetic': enter('#math-answer', () => {
    const [, a, op, b] = text($('#math-problem')).match(/(\d+) (.) (\d+)/);
    return String({'+': a - -b, '-': a - b, x: a * b}[op]);
  }),
  'simple-algebra': enter('#math-answer', () => {
    const [, a, op, b, c] = text($('#math-problem')).match(/(\S+) (.) (\S+) = (-?\d+)/);
    return String(op === '+' ? c - (a === 'x' ? b : a) : a === 'x' ? c - -b : a - c);
  }),
  'visual-addition': enter('#math-answer', () => String($$('.addition-block').length)),
  'read-table': enter('#tt', () => table()[utterance().match(/value of (.*) into/)[1]]),
  'read-table-2': function* () {
    const t = table(), value = n => t[text($('#ll' + n)).replace(':', '')];
    yield [...fill($('#tt1'), value(1)), ...fill($('#tt2'), value(2)), click(submit())].flat();
  },
  'guess-number': async function* () {
    for (let low = 0, high = 9; low <= high;) {
      const guess = Math.floor((low + high) / 2);
      const r = $('#tt').getBoundingClientRect(); // its arrows are on the right
      yield [triple([r.left + 8, r.top + r.height / 2]), type(String(guess)), click($('#subbtn'))];
      await still(() => text($('#feedback')) + $$('#feedback .hide').length);
      if (shown($('#higher'))) low = guess + 1;
      else if (shown($('#lower'))) high = guess - 1;
      else return;
    }
  },
  'multi-layouts': films,
  'multi-orderings': films,
  'copy-paste': copyFrom(() => $('#to-copy')),
  'copy-paste-2': copyFrom(() => $('#text-' + ordinal(utterance()))),
  'highlight-text': function* () { yield [stretch($('#randomText')), click($('#subbtn'))]; },
  'highlight-text-2': function* () { yield [stretch($$('#randomText p')[ordinal(utterance()) - 1]), click($('#subbtn'))]; },
  'scroll-text': async function* () {
    yield* toEnd($('#text-area'), 'down');
    yield [...fill($('#answer-input'), $('#text-area').value.trim().split(/\s+/).at(-1).replace(/[^a-zA-Z0-9]/g, '')), click(submit())].flat();
  },
  'scroll-text-2': async function* () {
    yield* toEnd($('#text-area'), /bottom/.test(utterance()) ? 'down' : 'up');
    yield [click(submit())];
  },
  'sign-agreement': async function* () {
    if (/Click the cancel/.test(utterance())) return yield [click($('#cancel'))];
    yield* toEnd($('#text-area'), 'down');
    await soon('the name', () => !$('#name').disabled);
    yield [...fill($('#name'), quoted()[0]), click(named('button', quoted()[1]))].flat();
  },
  'terminal': async function* () {
    yield [click($('#terminal')), type('ls\n')];
    await soon('the list', () => $$('.terminal-line').length > 1);
    const files = text($$('.terminal-output .output').at(-1)).split(' ');
    const ext = (utterance().match(/extension \.(\S+)/) || [])[1];
    yield [type('rm ' + files.find(f => ext ? f.endsWith('.' + ext) : !f.includes('.')) + '\n')];
  },
  'text-editor': async function* () {
    const [what, how] = $$('#query .bold').map(text);
    const editor = $('.ql-editor');
    if (what === 'everything') yield [click(editor), key('ctrl+a')];
    else yield [stretch(editor, what)];
    await pause(150); // the editor takes note of a selection 100 ms after the button or key came up, and styles what it noted
    const style = {bold: '.ql-bold', italics: '.ql-italic', underlined: '.ql-underline'}[how];
    if (style) yield [click($(style))];
    else {
      const colour = {red: '#e60000', orange: '#ff9900', yellow: '#ffff00', green: '#008a00', blue: '#0066cc', purple: '#9933ff'}[how];
      yield [click($('.ql-color .ql-picker-label'))];
      await soon('the colours', () => shown($('.ql-color .ql-picker-options')));
      yield [click($(`.ql-color .ql-picker-item[data-value="${colour}"]`))];
    }
    yield [click($('#subbtn'))];
  },
  'use-colorwheel': async function* () { yield* wheelColour(utterance().match(/Select (.*) with/)[1]); },
  'use-colorwheel-2': async function* () { yield* wheelColour($('#query .cc').style.backgroundColor); },
});

// toEnd turns the wheel over a box until it scrolls no further.
async function* toEnd(box, way) {
  while (!atEnd(box, way === 'up')) yield* scroll(box, box, way === 'up', 20);
}
async function* wheelColour(name) {
  const c = document.createElement('canvas').getContext('2d');
  c.fillStyle = name;
  yield [triple($('#col')), type(c.fillStyle.slice(1).toUpperCase()), click($('#query'))];
  await soon('the button', () => hits($('#subbtn'), ...middle($('#subbtn'))));
  yield [click($('#subbtn'))];
}
