/*
 * The start page of a terminal: says how the reader is, holds the screen until a card that is left behind is taken, and
 * puts the page back as it was when nobody is there any more.
 */
'use strict'
const [idleMs, answerMs, pollMs, mostStays] = [40000, 20000, 700, 10]
const [byId, root] = [(id) => document.getElementById(id), document.documentElement]
const [take, idle, status] = [byId('take'), byId('idle'), byId('status')]

/** A card that lies there when the page comes is the one of whoever was here before. */
let arriving = true
let leftBehind = false
let card = false
let stays = 0
let lastTouch = Date.now()
let askedAt

const show = (dialog, wanted) => {
  if (wanted && !dialog.open) dialog.showModal()
  if (!wanted && dialog.open) dialog.close()
}
const speak = (language) => {
  root.lang = language
  byId('language').lang = language === 'en' ? 'zh-CN' : 'en'
  byId('language').textContent = byId('language').dataset[language === 'en' ? 'en' : 'zh']
  document.title = root.dataset[language === 'en' ? 'en' : 'zh']
}
/** Writes only what is new, so that a screen reader says it once. */
const say = (state) => {
  if (status.dataset.state === state) return
  status.dataset.state = state
  status.classList.toggle('bad', state === 'absent' || state === 'silent')
  for (const part of status.children) part.hidden = part.dataset.state !== state
}
const startAnew = () => {
  speak('zh-CN')
  scrollTo(0, 0)
  stays = 0
  askedAt = undefined
  lastTouch = Date.now()
  if (card) leftBehind = true
}
const stay = () => {
  stays += 1
  askedAt = undefined
  lastTouch = Date.now()
  show(idle, false)
}

async function look() {
  let state
  try {
    const answer = await fetch('/state', { cache: 'no-store', signal: AbortSignal.timeout(3000) })
    if (answer.ok) state = await answer.json()
  } catch {
    // Said below: the agent does not answer.
  }
  // What is not known is as it was: a card that is asked for is not forgotten over one question that failed.
  if (state) {
    card = state.card === true
    leftBehind = card && (leftBehind || arriving)
    arriving = false
  }
  say(state === undefined ? 'silent' : card ? 'card' : state.reader)
}

function watch() {
  const now = Date.now()
  const something = root.lang !== 'zh-CN' || card || scrollY > 0
  if (leftBehind || !something) askedAt = undefined
  else if (askedAt === undefined && now - lastTouch >= idleMs) {
    if (stays < mostStays) askedAt = now
    else startAnew()
  } else if (askedAt !== undefined && now - askedAt >= answerMs) startAnew()
  show(idle, askedAt !== undefined)
  show(take, leftBehind)
}

byId('language').addEventListener('click', () => speak(root.lang === 'en' ? 'zh-CN' : 'en'))
byId('stay').addEventListener('click', stay)
idle.addEventListener('cancel', stay)
take.addEventListener('cancel', (event) => event.preventDefault())
for (const kind of ['pointerdown', 'keydown', 'wheel']) addEventListener(kind, () => (lastTouch = Date.now()))
// From the browser's memory of the page before: as one that has just come.
addEventListener('pageshow', (event) => {
  if (!event.persisted) return
  arriving = true
  startAnew()
})
addEventListener('contextmenu', (event) => event.preventDefault())
const round = async () => {
  await look()
  watch()
  setTimeout(round, pollMs)
}
void round()
