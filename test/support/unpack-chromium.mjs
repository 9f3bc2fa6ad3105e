// Unpacks the Chromium of the npm package into TMPDIR, with the libraries it needs, and prints the path of the program. In a
// process of its own: the package decides by its environment when it is loaded, and changes it.
import chromium from '@sparticuz/chromium';

console.log(await chromium.executablePath());
