// 刷身份证，并看一下摄像头: while the agent compares, the page says one thing at a time that is to be done, and shows the
// agent's own live picture in a frame. No pixel of it is this page's.
{
  const form = document.querySelector('form[data-device=card-face]')
  const mirror = document.querySelector('[data-mirror]')
  const before = document.querySelectorAll('[data-before], .summary')
  const underWay = document.querySelectorAll('[data-under-way]')

  const show = (parts, isShown) => {
    for (const part of parts) part.hidden = !isShown
  }

  const look = (agent) => {
    if (!mirror.hidden) return
    mirror.src = `${agent}/mirror`
    mirror.hidden = false
  }
  const lookAway = () => {
    mirror.hidden = true
    mirror.removeAttribute('src')
  }

  /** What is to be done now. Before the first movement, who is not seen is asked to face the screen, as everybody is. */
  const wordFor = ({ step, see }) => (see === 'ok' || (step === 'look' && see === 'nobody') ? step : see)

  /** Follows what the camera sees, until it is ended. */
  const meanwhile = ({ state, agent, say, pause }) => {
    let ended = false
    let last
    const follow = async () => {
      for (; !ended; await pause(500)) {
        const { face, card } = (await state()) ?? {}
        // An agent that did not answer has said nothing.
        if (ended || face === undefined) continue
        if (face === null) {
          // Before the camera is open, and after it is shut.
          if (last) say('comparing')
          else if (card) say('lies')
          if (last) lookAway()
          continue
        }
        look(agent)
        const word = wordFor(face)
        // A head that turns is lost to the camera for a moment: what it sees counts once it is seen twice.
        if (face.step !== last?.step || word === last.word) say(word)
        last = { step: face.step, word }
      }
    }
    follow()
    return {
      end() {
        ended = true
        lookAway()
      },
    }
  }

  cardTerminal(form, {
    // On top of what the card takes.
    extraMs: 60_000,
    asks: ({ actions }) => ({ face: { actions } }),
    meanwhile,
    began(progress) {
      show(before, false)
      show(underWay, true)
      // The button that was pressed is gone.
      progress.focus()
      scrollTo(0, 0)
    },
    ended(button) {
      show(underWay, false)
      show(before, true)
      button.focus()
    },
  })
}
