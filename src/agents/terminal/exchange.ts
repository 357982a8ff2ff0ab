/**
 * Questions to a card reader, one at a time. An answer counts only where its status and length fit the question; a
 * damaged one is asked for again. Who does not answer in time is hung up on, since what he says later could be taken for
 * the answer to something else, and so for another citizen's card.
 */
import { commands, createAnswerParser, encode, type Answer, type Command } from './frames.ts'
import type { Link, OpenLink } from './link.ts'

export class LinkLost extends Error {}

export interface Exchange {
  /** The data of success, or the status that the reader refuses with. @throws LinkLost, and is over */
  ask(command: Command, timeoutMs: number): Promise<Buffer | number>
  close(): void
}

const mostAsked = 3
/** A status that answers one command alone: late, it must not be taken for another's. */
const onlyFor: Readonly<Record<number, Command>> = { 0x80: commands.find, 0x81: commands.select }

function fits({ status, data }: Answer, command: Command): boolean {
  if (status === command.ok && data.length === command.bytes) return true
  return status !== 0x90 && status !== 0x9f && (onlyFor[status] ?? command) === command
}

/** @throws whatever kept the line from being opened */
export async function openExchange(open: OpenLink, onEnd: () => void): Promise<Exchange> {
  const parser = createAnswerParser()
  let over = false
  let hear: ((one: Answer | 'damaged') => void) | undefined
  let lose: (() => void) | undefined
  const finish = () => {
    if (over) return
    over = true
    parser.clear()
    lose?.()
    onEnd()
  }
  const link: Link = await open({
    data: (chunk) => parser.push(chunk).forEach((one) => (hear ? hear(one) : wipe(one))),
    end: finish,
  })
  const hangUp = () => {
    link.close()
    finish()
  }

  return {
    async ask(command, timeoutMs) {
      if (over) throw new LinkLost()
      let asked = 1
      let timer: NodeJS.Timeout | undefined
      const answered = new Promise<Answer>((done, fail) => {
        lose = () => fail(new LinkLost())
        timer = setTimeout(hangUp, timeoutMs)
        hear = (one) => {
          if (one === 'damaged') {
            if (asked < mostAsked) link.send(encode(command))
            asked += 1
          } else if (fits(one, command)) done(one)
          else wipe(one)
        }
      })
      link.send(encode(command))
      try {
        const { status, data } = await answered
        return status === command.ok ? data : status
      } finally {
        clearTimeout(timer)
        hear = lose = undefined
      }
    },
    close: hangUp,
  }
}

const wipe = (one: Answer | 'damaged') => void (one === 'damaged' || one.data.fill(0))
