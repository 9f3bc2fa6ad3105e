// node scripts/draw-icons.ts: draws the icons. A graph hangs together at one point, and from it a plumb bob: the run, held true.
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { taskFolders } from './build-extension.ts';
import { encodePng, type Pixel } from './png.ts';
import { ROOT } from './repository.ts';

type Point = readonly [x: number, y: number];
type Colour = readonly [red: number, green: number, blue: number];
interface Shape {
  /** Distance to the edge in units of the drawing, negative inside. */
  readonly distance: (at: Point) => number;
  readonly colour: (at: Point) => Colour;
}

/** Everything is drawn on a square of this size and scaled. */
const SIDE = 128;

const NIGHT: Colour = [16, 42, 82];
const DAY: Colour = [30, 84, 148];
const LINE: Colour = [222, 235, 250];
const BRASS_LIGHT: Colour = [255, 213, 115];
const BRASS: Colour = [238, 170, 52];
const BRASS_DARK: Colour = [184, 112, 22];

const JOINT: Point = [64, 50];
const SOURCES: readonly Point[] = [
  [30, 26],
  [64, 20],
  [98, 26],
];

const SHAPES: readonly Shape[] = [
  { distance: roundedSquare(64, 26), colour: ([, y]) => mix(DAY, NIGHT, y / SIDE) },
  ...SOURCES.map((from) => ({ distance: segment(from, JOINT, 2.6), colour: () => LINE })),
  { distance: segment(JOINT, [64, 64], 2.6), colour: () => LINE },
  ...SOURCES.map((at) => ({ distance: circle(at, 9), colour: () => LINE })),
  { distance: circle(JOINT, 6), colour: () => LINE },
  { distance: segment([57, 62], [71, 62], 4), colour: ([x]) => mix(BRASS_LIGHT, BRASS_DARK, (x - 53) / 22) },
  {
    distance: convex([
      [64, 118],
      [41, 80],
      [46, 69],
      [82, 69],
      [87, 80],
    ]),
    colour: facets,
  },
];

/** Light falls from the left: three facets that run down to the tip. */
function facets([x, y]: Point): Colour {
  const width = Math.max(0, 118 - y) / 38;
  const across = (x - 64) / (23 * Math.max(width, 0.02));
  const shade = y < 80 ? 0.12 : 0;
  if (across < -0.28) return mix(BRASS_LIGHT, BRASS, shade * 3);
  return mix(across < 0.36 ? BRASS : BRASS_DARK, BRASS_DARK, shade);
}

function circle([cx, cy]: Point, radius: number) {
  return ([x, y]: Point) => Math.hypot(x - cx, y - cy) - radius;
}

function segment([ax, ay]: Point, [bx, by]: Point, radius: number) {
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  return ([x, y]: Point) => {
    const along = clamp(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length);
    return Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)) - radius;
  };
}

function roundedSquare(half: number, radius: number) {
  return ([x, y]: Point) => {
    const dx = Math.abs(x - SIDE / 2) - half + radius;
    const dy = Math.abs(y - SIDE / 2) - half + radius;
    return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - radius;
  };
}

/** A convex polygon given clockwise on the screen, its corners rounded a little. */
function convex(corners: readonly Point[]) {
  return ([x, y]: Point) => {
    const sides = corners.map(([ax, ay], i) => {
      const [bx, by] = corners[(i + 1) % corners.length] ?? [ax, ay];
      return ((by - ay) * (x - ax) - (bx - ax) * (y - ay)) / Math.hypot(bx - ax, by - ay);
    });
    return Math.max(...sides);
  };
}

function mix(from: Colour, to: Colour, share: number): Colour {
  const t = clamp(share);
  return [0, 1, 2].map((i) => (from[i] ?? 0) * (1 - t) + (to[i] ?? 0) * t) as unknown as Colour;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** The pixel's colour: each shape over those before it, its edge softened over one pixel. */
function pixel(column: number, row: number, size: number): Pixel {
  const unit = SIDE / size;
  const at: Point = [(column + 0.5) * unit, (row + 0.5) * unit];
  let colour: Colour = NIGHT;
  let alpha = 0;
  for (const shape of SHAPES) {
    const cover = clamp(0.5 - shape.distance(at) / unit);
    if (cover === 0) continue;
    colour = alpha === 0 ? shape.colour(at) : mix(colour, shape.colour(at), cover);
    alpha = Math.max(alpha, cover);
  }
  return [...colour, alpha * 255];
}

function drawIcon(path: string, size: number): void {
  const file = resolve(ROOT, path);
  mkdirSync(resolve(file, '..'), { recursive: true });
  writeFileSync(
    file,
    encodePng(size, size, (column, row) => pixel(column, row, size)),
  );
  console.log(`${path}  ${size} × ${size}`);
}

drawIcon('images/icon-128.png', 128);
for (const task of taskFolders()) drawIcon(`tasks/${task}/icon.png`, 32);
