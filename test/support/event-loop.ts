/**
 * How long one turn of the event loop computed at most. In time of this thread: what the machine did beside it is not
 * counted, so that a busy one makes no test fail.
 */
const everyMs = 5

export interface EventLoop {
  /** Of the longest turn so far, in ms. */
  longest(): number
  stop(): void
}

export function watchEventLoop(): EventLoop {
  let longest = 0
  let before = process.threadCpuUsage()
  const turn = () => {
    const { user, system } = process.threadCpuUsage(before)
    longest = Math.max(longest, (user + system) / 1000)
    before = process.threadCpuUsage()
  }
  const timer = setInterval(turn, everyMs)
  return {
    longest() {
      turn()
      return longest
    },
    stop: () => clearInterval(timer),
  }
}
