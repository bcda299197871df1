// Forms, lists, dates, and small applications.

const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
// pickDate chooses a date in jQuery UI's calendar.
async function* pickDate(date) {
  const [m, d, y] = date.split('/').map(Number);
  yield [click($('#datepicker'))];
  const calendar = $('#ui-datepicker-div');
  await soon('the calendar', () => shown(calendar) && getComputedStyle(calendar).opacity === '1');
  await restful(calendar);
  const off = () => (Number(text($('.ui-datepicker-year'))) - y) * 12 + months.indexOf(text($('.ui-datepicker-month'))) - (m - 1);
  for (let tries = 0; off() !== 0 && tries < 5; tries++) {
    const button = $(off() > 0 ? '.ui-datepicker-prev' : '.ui-datepicker-next'), goal = Math.max(0, Math.abs(off()) - 6);
    yield Array.from({length: Math.min(6, Math.abs(off()))}, () => click(button));
    await soon('the month', () => Math.abs(off()) === goal);
  }
  yield [click($$('.ui-datepicker-calendar td a').find(a => text(a) === String(d)))];
  await soon('the calendar to go', () => !shown(calendar));
}
const chooseDate = async function* () {
  yield* pickDate(utterance().match(/\d+\/\d+\/\d+/)[0]);
  yield [click($('#subbtn'))];
};

const autocomplete = async function* () {
  const [begin, end = ''] = quoted();
  yield [...fill($('#tags'), begin)].flat();
  const item = () => $$('.ui-autocomplete li').find(li => shown(li) && text(li).startsWith(begin) && text(li).endsWith(end.trim()));
  await soon('the items', item);
  await restful(item());
  yield [click(item())];
  await soon('the items to go', () => !$$('.ui-autocomplete li').some(shown));
  yield [click($('#subbtn'))];
};

// hoverPress looks before it clicks: these icons are exchanged for other pictures
// under the pointer, and have no size from then until the picture has loaded. A
// click of that moment begins on the icon and ends on what lies behind it.
async function* hoverPress(e) {
  yield* reach(e);
  yield [move(e)];
  await restful(e);
  yield [click(e)];
}
const posts = user => $$('.media').filter(m => text($('.username', m)) === user);
const toggle = count => async function* () {
  const action = text($$('#query .bold, #query [class=bold]')[0]).toLowerCase();
  const user = utterance().match(/by (@\S+)/)[1];
  for (const post of posts(user).slice(0, count())) {
    yield* hoverPress($('.' + action, post));
    await soon('the button', () => $('.' + action, post).classList.contains('active'));
  }
  yield* press($('#submitRow button'));
};

const bookFlight = async function* () {
  const [, how, from, to, date] = utterance().match(/Book the (\w+) one-way flight from: (.*) to: (.*) on (\S+)\./);
  for (const [selector, place] of [['#flight-from', from], ['#flight-to', to]]) {
    yield [fill($(selector), place)].flat();
    const item = () => $$('.ui-autocomplete li').find(li => shown(li) && (text(li).startsWith(place + ' (') || text(li).includes(`(${place})`) || text(li) === place));
    await soon('the airports', item);
    await restful(item());
    // By keys: the list moves under the pointer.
    const index = $$('.ui-autocomplete li').filter(shown).indexOf(item());
    yield [key('Down', index + 1), key('Return')];
    await soon('the airports to go', () => !$$('.ui-autocomplete li').some(shown));
  }
  yield* pickDate(date);
  yield [click($('#search'))];
  await soon('the flights', () => $$('.flight').some(shown));
  const field = how === 'cheapest' ? 'price' : 'duration';
  const best = $$('.flight').sort((a, b) => $(`[data-${field}]`, a).dataset[field] - $(`[data-${field}]`, b).dataset[field])[0];
  yield* press($('.flight-price', best));
};

// mail does what is wished with a mail by somebody. Where there are several, these
// pages take any of them, but for forwarding, which wants the one they mean.
const mail = wish => async function* () {
  const {by, action, message, to} = await wish();
  const threads = $$('#main .email-thread').filter(t => text($('.email-sender', t)) === by), thread = threads[0] || fail('no mail by ' + by);
  if (action === 'forward' && threads.length > 1) nobody(`one of ${threads.length} mails by ${by} is to be forwarded, and nothing says which`);
  if (action === 'important' || action === 'delete') return yield* press($({important: '.star', delete: '.trash'}[action], thread));
  yield* press($('.email-sender', thread));
  await soon('the mail', () => $('#email'));
  yield* press($(action === 'reply' ? '#email .email-reply' : '#email .email-forward'));
  await soon('the form', () => $('#reply, #forward'));
  yield action === 'reply' ? fill($('#reply-text'), message) : fill($('.forward-sender'), to);
  yield* press($(action === 'reply' ? '#send-reply' : '#send-forward'));
};
const plainMail = mail(() => {
  const said = utterance(), by = said.match(/email by (\S+)/)[1];
  if (/reply/.test(said)) return {by, action: 'reply', message: quoted()[0]};
  if (/forward/.test(said)) return {by, action: 'forward', to: said.match(/to ([^ ]+)\.$/)[1]};
  return {by, action: /trash/.test(said) ? 'delete' : 'important'};
});
// freeMail understands a request in free words, by the sentences these pages take
// them from: the one that leaves the least to NAME, DEST and MSG.
const freeMail = sentences => mail(async () => {
  const said = utterance(), names = new Set($$('#main .email-sender').map(text));
  const readings = [];
  for (const [action, sentence] of await sentences()) {
    const literal = CSS.escape(sentence.replace(/\s+/g, ' ').trim()).replace(/\\ /g, ' ');
    const part = {NAME: '(?<by>[\\w-]+)', DEST: '(?<to>[\\w-]+)', MSG: '(?<message>.*)'}; // each is put in once
    const pattern = Object.entries(part).reduce((p, [word, group]) => p.replace(word, group), literal);
    const got = said.match(new RegExp(`^${pattern}$`))?.groups;
    if (got && names.has(got.by) && (!got.to || names.has(got.to))) readings.push({action, ...got, length: literal.length});
  }
  return readings.sort((a, b) => b.length - a.length)[0] || fail('no sentence of this kind');
});
const sentencesBeside = async () => {
  const source = await (await fetch($('script[src$="templates.js"]').src)).text();
  return Object.entries(new Function(source + '; return TEMPLATES')()).flatMap(([action, {train}]) => train.map(s => [action, s]));
};
const sentencesWithin = () => constant('NL_TEMPLATES').map(s => ['forward', s]);

Object.assign(tasks, {
  'choose-date': chooseDate,
  'choose-date-easy': chooseDate,
  'choose-date-medium': chooseDate,
  'choose-date-nodelay': chooseDate,
  'choose-list': async function* () {
    const name = utterance().match(/^Select (.*) from the list/)[1];
    const index = $$('option').findIndex(o => text(o) === name);
    yield [click($('#options'))]; // the list is the browser's own window: nothing of it can be read
    yield [key('Home'), ...(index > 0 ? [key('Down', index)] : []), key('Return')];
    await soon('the choice', () => $('#options').selectedIndex === index);
    yield [click(submit())];
  },
  'click-scroll-list': async function* () {
    const names = utterance().match(/^Select (.*) from the scroll list/)[1], all = $$('option');
    let wanted = all.filter(o => text(o) === names);
    if (!wanted.length) wanted = all.flatMap(a => all.filter(b => text(a) + ', ' + text(b) === names).map(b => [a, b]))[0];
    for (const [i, option] of wanted.entries()) {
      const list = $('select').getBoundingClientRect();
      for (let tries = 0; tries < 40; tries++) {
        const r = option.getBoundingClientRect();
        if (r.top >= list.top - 1 && r.bottom <= list.bottom + 1) break;
        yield [wheel($('select'), r.top < list.top ? 'up' : 'down', 1)];
        await still(() => option.getBoundingClientRect().top);
      }
      yield [click(middle(option), i > 0 ? 'ctrl' : undefined)];
    }
    yield [click(submit())];
  },
  'form-sequence-2': function* () {
    const [, radio, number, box] = utterance().match(/the (\d)\w\w radio button and enter the number "(.*)" into the (\d)/);
    yield [click($$('input[type=radio]')[radio - 1]), ...fill($('#input-' + box), number), click($('#subbtn'))].flat();
  },
  'form-sequence-3': async function* () {
    const [, choice] = utterance().match(/Choose (.*) from the dropdown/);
    yield [click($('.selectric'))];
    const item = $$('.selectric-items li').find(li => text(li) === choice);
    await soon('the list', () => shown(item));
    await restful(item);
    yield* press(item);
    await soon('the list to close', () => !$('.selectric-open'));
    yield [click(named('#buttons button', quoted()[0]))];
  },
  'use-autocomplete': autocomplete,
  'use-autocomplete-nodelay': autocomplete,
  'book-flight': bookFlight,
  'book-flight-nodelay': bookFlight,
  'search-engine': async function* () {
    const n = ordinal($$('#query .bold').map(text)[1]) - 1;
    yield [...fill($('#search-text'), quoted()[0]), click($('#search'))].flat();
    const page = Math.floor(n / 3);
    await soon('the results', () => $('.search-title'));
    if (page > 0) yield [click($$('#pagination .page-item a').find(a => text(a) === String(page + 1)))];
    await soon('the page', () => $('#pagination .page-item.active a') && text($('#pagination .page-item.active a')) === String(page + 1));
    yield [click($$('.search-title')[n % 3])];
  },
  'phone-book': async function* () {
    const [, name, what] = utterance().match(/Find (.*) in the contact book and click on their (\w+)/);
    for (let page = 1; page < 5 && text($('#contact .name')) !== name; page++) {
      yield [click($('#pagination .next a'))];
      await soon('the page', () => text($('#pagination .page-item.active a')) === String(page + 1));
    }
    yield [click($('#contact .' + what))];
  },
  'order-food': async function* () {
    const some = utterance().match(/Order (\d+) items that are (.*)/);
    const item = some ? $$('.food-item').find(i => $(`img[alt="${some[2]}"]`, i)) : null;
    const wanted = some ? [[item, Number(some[1])]] : utterance().split(': ')[1].split(', ').map(n => [$$('.food-item').find(i => i.dataset.item.trim() === n.trim()), 1]);
    for (const [i, times] of wanted) {
      yield* reach($('.add', i));
      yield Array.from({length: times}, () => click($('.add', i)));
    }
    yield* press($('#submit-order button'));
  },
  'social-media': async function* () {
    const [, user] = utterance().match(/user (\S+), click/), action = quoted()[0], post = posts(user)[0];
    if (['Reply', 'Retweet', 'Like'].includes(action)) return yield* hoverPress($('.' + action.toLowerCase(), post));
    yield* hoverPress($('.more', post));
    await soon('the menu', () => shown($('ul', post)));
    yield* press($$('ul li', post).find(li => text(li).startsWith(action)));
  },
  'social-media-all': toggle(() => 99),
  'social-media-some': toggle(() => Number(utterance().match(/on (\d+) post/)[1])),
  'daily-calendar': async function* () {
    const [, much, unit, name, from, to] = utterance().match(/Create an? ([\d.]+) (hour|min)\w* event named "(.*)", between (\S+) and (\S+)\./);
    const cells = unit === 'hour' ? much * 2 : much / 30;
    const half = t => (parseInt(t, 10) % 12 + (/PM/.test(t) ? 12 : 0)) * 2;
    const first = half(from), last = half(to);
    const cell = i => $('#hh-' + i);
    for (let i = first; i + cells <= last; i++) {
      yield* reach(cell(i));
      yield* reach(cell(i + cells - 1));
      const free = n => hits(cell(n), ...middle(cell(n)));
      if (!Array.from({length: cells}, (_, k) => i + k).every(free)) continue;
      const [x, y] = middle(cell(i)), end = middle(cell(i + cells - 1));
      yield [move([x, y - 4]), down(), move([x, y])];
      if (cells > 1) yield [move(end)];
      // The page moves under the pointer here; the button must come up over the new event.
      await soon('the event', () => $('#newEvent'));
      await restful($('#newEvent'));
      yield [move($('#newEvent')), up()];
      await soon('the form', () => $('#event-name'));
      yield* reach($('#event-name'));
      yield fill($('#event-name'), name);
      return yield* press($('#create-event .create'));
    }
    fail('no time is free');
  },
  'email-inbox': plainMail,
  'email-inbox-delete': plainMail,
  'email-inbox-forward': plainMail,
  'email-inbox-important': plainMail,
  'email-inbox-noscroll': plainMail,
  'email-inbox-reply': plainMail,
  'email-inbox-star-reply': plainMail,
  'email-inbox-forward-nl': freeMail(sentencesWithin),
  'email-inbox-forward-nl-turk': freeMail(sentencesBeside),
  'email-inbox-nl-turk': freeMail(sentencesBeside),
  'stock-market': async function* () {
    const price = () => Number(text($('#stock-price')).slice(1)), limit = Number(utterance().match(/\$([\d.]+\d)/)[1]);
    yield [move($('#buy'))];
    await soon('a good price', () => text($('#stock-price')) && price() <= limit - 1, 30000);
    yield [click($('#buy'))];
  },
});
