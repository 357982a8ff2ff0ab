/**
 * China Mobile's gateway over CMPP 2.0 or 3.0: texts go out and reports come in over one line that stays. The protocol
 * encrypts nothing, so the line is TLS or private (settings).
 */
import { timeInChina, dayInChina } from '#src/identity/calendar.ts'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { nationalOf, type Receipt, type SmsGateway } from '../gateway.ts'
import { deliveryOf } from '../line/delivery.ts'
import { openLongLine, type Place } from '../line/long-line.ts'
import { answerTo, type Protocol } from '../line/protocol.ts'
import { createPartCounter, segmentsOf } from '../line/segments.ts'
import { admissionOf, command, connectBody, deliverAnswer, deliveredOf } from './pdu.ts'
import { submitBody, submittedOf, type CmppVersion } from './pdu.ts'

export interface CmppAccount {
  readonly name: string
  readonly version: CmppVersion
  readonly place: Place
  /** Source_Addr and Msg_src, six characters. */
  readonly account: string
  readonly secret: string
  readonly serviceId: string
  readonly source: string
  /** Hang up on a gateway that does not show that it knows the secret. */
  readonly checkGateway: boolean
  readonly timeoutMs: number
  /** A report is acknowledged once this has resolved; the gateway repeats it otherwise. */
  readonly onReceipt: (receipt: Receipt) => Promise<void>
  readonly now?: () => number
}

/** Result of SUBMIT_RESP: this Dest_terminal_Id is wrong; others are not concerned. */
const wrongNumber = 13

/** MMDDHHMMSS in China. */
const timestampAt = (now: number): string => {
  const seconds = new Date(now).toISOString().slice(17, 19)
  return `${dayInChina(now).slice(5)}${timeInChina(now)}${seconds}`.replace(/\D/g, '')
}

const createProtocol = (account: CmppAccount): Protocol => ({
  headerLength: 12,
  heartbeat: command.activeTest,
  terminate: command.terminate,
  login() {
    const login = { ...account, timestamp: timestampAt((account.now ?? Date.now)()) }
    return {
      command: command.connect,
      body: connectBody(login),
      check({ body }) {
        const { status, authentic } = admissionOf(body, login)
        if (status !== 0) throw new PeerFailure(`login refused, status ${status}`)
        if (!authentic && account.checkGateway) throw new PeerFailure('the gateway does not know the secret')
      },
    }
  },
  async answer(question) {
    const answer = { command: answerTo(question.command), status: 0 }
    if (question.command === command.activeTest) return { ...answer, body: Buffer.alloc(1) }
    if (question.command === command.terminate) return { ...answer, body: Buffer.alloc(0) }
    if (question.command !== command.deliver) return undefined
    const { id, report } = deliveredOf(question.body, account.version)
    const delivery = report && deliveryOf(report.state)
    if (report && delivery) await account.onReceipt({ gateway: account.name, reference: report.id, ...delivery })
    return { ...answer, body: deliverAnswer(id, account.version) }
  },
})

export function createCmppGateway(account: CmppAccount): SmsGateway {
  const { name, version, serviceId, source, timeoutMs } = account
  const line = openLongLine(account.place, createProtocol(account))
  const nextId = createPartCounter()

  /** @throws PeerRefusal, PeerFailure */
  const submit = async (body: Buffer, withinMs: number): Promise<string> => {
    const { id, result } = submittedOf((await line.ask(command.submit, body, withinMs)).body, version)
    if (result === wrongNumber) throw new PeerRefusal(`result ${result}`)
    if (result !== 0) throw new PeerFailure(`result ${result}`)
    return id
  }

  return {
    name,
    async send(phone, { template, text }, withinMs = timeoutMs) {
      const bodies = segmentsOf(text, nextId()).map((segment) =>
        submitBody({
          ...{ version, account: account.account, serviceId, source, phone: nationalOf(phone), ...segment },
          // The code is in the first part.
          receipt: template === 'code' && segment.number === 1,
        }),
      )
      const [reference = ''] = await Promise.all(bodies.map((body) => submit(body, withinMs)))
      return { reference }
    },
    close: line.close,
  }
}
