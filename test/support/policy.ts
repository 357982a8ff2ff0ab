/**
 * `TEST_POLICY=sm-only` runs the flows with nothing but SM algorithms (`npm run test:sm-only`): the second application
 * and the one of the profile `high`, which stand for stock libraries, sign and verify with SM2 as well then.
 */

export const smOnly = process.env['TEST_POLICY'] === 'sm-only'

/** What stands for a stock library: ES256, unless this run knows SM alone. */
export const standardAlg = smOnly ? 'SGD_SM3_SM2' : 'ES256'

/** Why an application has no SM algorithm; none where it has. */
export const exception = (until: string) =>
  smOnly ? {} : { exception: { reason: { zh: '标准库', en: 'stock library' }, until } }

/** What stands or falls with a stock library: none knows SM2, so a run with SM alone has nothing for it to do. */
export const describeStock = (title: string, suite: (this: Mocha.Suite) => void): Mocha.Suite | void =>
  (smOnly ? describe.skip : describe)(title, suite)
