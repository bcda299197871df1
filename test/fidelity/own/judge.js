// What our own pages have in common with MiniWoB++: how an episode is seeded and
// started, and how it is judged. A page calls judge(begin); begin(done) starts an
// episode and calls done(reason) at the end, with '' for a pass.
'use strict';

var WOB_DONE_GLOBAL = false, WOB_RAW_REWARD_GLOBAL = 0, WOB_REWARD_REASON = null;
var core = {EPISODE_MAX_TIME: 0};

Math.seedrandom = seed => {
  let a = 0;
  for (const c of String(seed)) a = (Math.imul(a, 31) + c.charCodeAt(0)) >>> 0;
  Math.random = () => { // mulberry32
    a = (a + 0x6D2B79F5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
};
const between = (low, high) => low + Math.floor(Math.random() * (high - low + 1));

const judge = begin => {
  core.startEpisodeReal = () => begin(reason => {
    if (WOB_DONE_GLOBAL) return;
    WOB_DONE_GLOBAL = true;
    WOB_RAW_REWARD_GLOBAL = reason ? -1 : 1;
    WOB_REWARD_REASON = reason;
    document.querySelector('#query').textContent = reason || 'Passed.';
  });
};
const query = text => { document.querySelector('#query').textContent = text; };
