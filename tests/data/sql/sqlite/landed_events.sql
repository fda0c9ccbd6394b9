SELECT "each".hour, count(*) AS count_1 
FROM (SELECT CAST(floor(CAST(CAST(round((CAST(landed.c0 AS DOUBLE) / (1000000.0 + 0.0)) * (8589934592000000 / 8589934592.0)) AS BIGINT) AS DOUBLE) / ((7549747200000000 / 2097152.0) + 0.0)) AS BIGINT) AS hour 
FROM (SELECT known.c0 AS c0 
FROM (SELECT said.c0 AS c0 
FROM (SELECT "logs"."predictions"."naive" AS c0, "logs"."predictions"."id" AS k0, CAST(round((CAST("logs"."predictions"."naive" AS DOUBLE) / (1000000.0 + 0.0)) * (8589934592000000 / 8589934592.0)) AS BIGINT) AS moment 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= TIMESTAMP '2013-04-02 21:00:00.250000' AND "logs"."predictions"."naive" < TIMESTAMP '2013-04-03 00:00:00.250000' AND NOT ("logs"."predictions"."naive" >= TIMESTAMP '2013-04-02 21:00:00.250001' AND "logs"."predictions"."naive" < TIMESTAMP '2013-04-02 22:00:00.250001')) AS said JOIN (SELECT "labels"."id" AS k0, CAST(round((CAST("labels"."known_at" AS DOUBLE) / (1000000.0 + 0.0)) * (8589934592000000 / 8589934592.0)) AS BIGINT) AS moment, max(CAST(round((CAST("labels"."known_at" AS DOUBLE) / (1000000.0 + 0.0)) * (8589934592000000 / 8589934592.0)) AS BIGINT)) OVER (PARTITION BY "labels"."id" ORDER BY CAST(round((CAST("labels"."known_at" AS DOUBLE) / (1000000.0 + 0.0)) * (8589934592000000 / 8589934592.0)) AS BIGINT) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS "before" 
FROM "labels" 
WHERE ("labels"."zulu" COLLATE "BINARY") >= '2013-04-02T23' AND rtrim("labels"."zulu" COLLATE "BINARY", 'Zz') >= '2013-04-02T23:00:00.250001' AND rtrim("labels"."zulu" COLLATE "BINARY", 'Zz') < '2013-04-03T00:00:00.250001') AS fresh ON said.k0 = fresh.k0 
WHERE fresh.moment >= said.moment AND fresh.moment - said.moment <= 3600000000 AND (fresh."before" IS NULL OR said.moment > fresh."before") UNION ALL SELECT "logs"."predictions"."naive" AS c0 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= TIMESTAMP '2013-04-02 21:00:00.250001' AND "logs"."predictions"."naive" < TIMESTAMP '2013-04-02 22:00:00.250001') AS known) AS landed) AS "each" GROUP BY "each".hour;

