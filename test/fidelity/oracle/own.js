// Oracles of our own pages.

Object.assign(tasks, {
  'own-pixel': function* () { yield $$('.target').map(e => click(middle(e))); },
  'own-typing': function* () {
    yield [click($('textarea')), type($('#want').textContent), click($('button'))];
  },
  'own-modifier': function* () {
    const how = {
      plain: e => click(e), shift: e => click(e, 'shift'), ctrl: e => click(e, 'ctrl'), 'ctrl+shift': e => click(e, 'ctrl+shift'), double, triple,
      right: e => act('right_click', {coordinate: at(e)}), middle: e => act('middle_click', {coordinate: at(e)}),
    };
    const keys = utterance().match(/press (.*)\./)[1].split(', ');
    yield $$('button').map(e => how[text(e)](e));
    yield keys.map(k => key(k));
  },
  'own-dragdrop': function* () { yield [drag($('#item'), $('#' + utterance().match(/bin (\w)/)[1].toLowerCase()))]; },
  'own-path': function* () { yield [drag($('#knob'), $('#goal')), click($('button'))]; },
  'own-wheel': function* () {
    const wants = [...utterance().matchAll(/(one|two) (\w+) (\d+)/g)];
    yield [...wants.map(([, box, way, n]) => wheel($('#' + box), way, Number(n))), click($('button'))];
  },
});
