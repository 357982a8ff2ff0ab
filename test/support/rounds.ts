/** How many random rounds a comparison with another implementation takes: 50, or `ROUNDS` (`npm run test:long`). */
export const rounds = Number(process.env['ROUNDS'] ?? 50)
