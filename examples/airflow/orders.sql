-- What the DAGs of this example work on: sqlite3 orders.db < orders.sql
CREATE TABLE orders (id INTEGER PRIMARY KEY, day TEXT NOT NULL, shop TEXT NOT NULL, cents INTEGER NOT NULL);
CREATE TABLE rejected_orders (id INTEGER PRIMARY KEY, day TEXT NOT NULL, shop TEXT NOT NULL, cents INTEGER NOT NULL);
CREATE TABLE quiet_days (day TEXT PRIMARY KEY);
INSERT INTO orders VALUES (1, '2026-11-20', 'north', 1250), (2, '2026-11-20', 'south', 840), (3, '2026-11-21', 'north', 990);
INSERT INTO rejected_orders VALUES
  (11, '2026-11-20', 'north', 410), (12, '2026-11-20', 'west', 1730), (13, '2026-11-20', 'west', 220),
  (14, '2026-11-20', 'south', 3105), (15, '2026-11-21', 'west', 660);
