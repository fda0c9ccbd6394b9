SELECT "each".hour, count(*) AS count_1 
FROM (SELECT CAST(floor(CAST(CASE WHEN (abs(CAST(landed.c0 AS DOUBLE) / (1000000.0 + 0.0)) < (6553600000000000 / 65536.0)) THEN CAST(round((CAST(landed.c0 AS DOUBLE) / (1000000.0 + 0.0)) * (8589934592000000 / 8589934592.0)) AS BIGINT) END AS DOUBLE) / ((7549747200000000 / 2097152.0) + 0.0)) AS BIGINT) AS hour 
FROM (SELECT said.c0 AS c0 
FROM (SELECT "logs"."predictions"."ts" AS c0, "logs"."predictions"."id" AS k0 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-02 21:00:00.250000+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-03 00:00:00.250000+00:00') AS said JOIN (SELECT DISTINCT "labels"."id" AS k0 
FROM "labels" 
WHERE "labels"."known_at" >= TIMESTAMP WITH TIME ZONE '2013-04-02 23:00:00.250001+00:00' AND "labels"."known_at" < TIMESTAMP WITH TIME ZONE '2013-04-03 00:00:00.250001+00:00') AS fresh ON said.k0 = fresh.k0) AS landed) AS "each" GROUP BY "each".hour;

