/** Signatures, encryption and seals, in interleaved rounds of one run: rates, and the ratios that are promised. */
import { encryption, seals, signatures, standardSignatures } from './crypto-jobs.ts'
import { interleave } from './interleaved.ts'
import type { Jobs, Rates } from './interleaved.ts'

const ROUNDS = 11

async function measure(title: string, jobs: Jobs): Promise<Rates> {
  const rates = await interleave(jobs, ROUNDS)
  console.log(`\n${title}, ${ROUNDS} interleaved rounds`)
  for (const name of Object.keys(jobs)) console.log(`  ${name.padEnd(40)} ${rates.rate(name).toFixed(0).padStart(8)}/s`)
  return rates
}

function say(what: string, value: string, wanted = ''): void {
  console.log(`  → ${what.padEnd(38)} ${value.padStart(8)}  ${wanted}`)
}

const times = (value: number): string => `×${value.toFixed(2)}`
/** What the one costs beyond the other, in per cent of the other. */
const cost = (rates: Rates, name: string, other: string): string =>
  `${((rates.ratio(other, name) - 1) * 100).toFixed(1)} %`

const signing = await measure('Signatures over 400 bytes', await signatures())
say('SM2 sign, ours : sm-crypto', times(signing.ratio('SM2 sign, ours', 'SM2 sign, sm-crypto')), '≥ 25')
say('SM2 sign : RSA-2048 sign', times(signing.ratio('SM2 sign, ours', 'RSA-2048 sign, Node')), '≥ 0.7')
say('SM2 verify, ours : sm-crypto', times(signing.ratio('SM2 verify, ours', 'SM2 verify, sm-crypto')), '≥ 50')
for (const act of ['sign', 'verify'])
  say(`JWS beyond the bare SM2 ${act}`, cost(signing, `SGD_SM3_SM2 JWS ${act}, ours`, `SM2 ${act}, ours`), '≤ 15 %')

const standard = await measure('Standard signatures through this package', await standardSignatures())
for (const job of ['ES256 JWS sign', 'ES256 JWS verify', 'RS256 JWS sign', 'RS256 JWS verify']) {
  const noise = cost(standard, `${job}, upstream again`, `${job}, upstream`)
  say(
    `${job}, ours beyond upstream`,
    cost(standard, `${job}, ours`, `${job}, upstream`),
    `upstream beyond itself ${noise}`,
  )
}

const encrypting = await measure('Encryption', await encryption())
for (const act of ['encrypt', 'decrypt'])
  for (const other of ['sm-crypto', 'sm-crypto-v2'])
    say(`SM2 ${act}, ours : ${other}`, times(encrypting.ratio(`SM2 ${act}, ours`, `SM2 ${act}, ${other}`)))
for (const length of [1024, 4096])
  for (const other of [`SM4-GCM seal ${length} B, sm-crypto-v2`, `AES-128-GCM seal ${length} B, Node`])
    say(
      `SM4-GCM seal, ours : ${other.replace(' seal', '')}`,
      times(encrypting.ratio(`SM4-GCM seal ${length} B, ours`, other)),
    )

await measure('Seals', await seals())
