// Tests, one after the other, in TAP that prove reads: node's own reporters write YAML which it does not.
import { inspect } from 'node:util';

const tests = [];

// A request that fails while its test waits for something else: the test hears of it when it comes to the answer.
process.on('unhandledRejection', () => {});

/** One test, executed by run(). */
export const test = (name, body) => tests.push({ name, body });

/** Runs all tests, each between before() and after(), and says how they went; end() is called at the end, however that is. */
export async function run({ before = () => {}, after = () => {}, end = () => {} }) {
  console.log(`1..${tests.length}`);
  let failed = 0;
  try {
    for (const [index, { name, body }] of tests.entries()) {
      try {
        await before();
        await body();
        await after();
        console.log(`ok ${index + 1} - ${name}`);
      } catch (error) {
        failed++;
        console.log(`not ok ${index + 1} - ${name}\n${inspect(error).replace(/^/gm, '#   ')}`);
      }
    }
  } finally {
    await end();
  }
  process.exitCode = failed === 0 ? 0 : 1;
}
