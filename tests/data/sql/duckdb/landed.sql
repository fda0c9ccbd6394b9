SELECT each.hour, count(*) AS count_1 
FROM (SELECT CAST(floor(CAST(CASE WHEN (abs(epoch(landed.c0)) < 1.00000000000000000e+11) THEN CAST(round(epoch(landed.c0) * 1.00000000000000000e+06) AS BIGINT) END AS DOUBLE PRECISION) / 3.60000000000000000e+09) AS BIGINT) AS hour 
FROM (SELECT said.c0 AS c0 
FROM (SELECT "logs"."predictions"."ts" AS c0, "logs"."predictions"."id" AS k0 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-02 21:00:00.250000+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-03 00:00:00.250000+00:00') AS said JOIN (SELECT DISTINCT "labels"."id" AS k0 
FROM "labels" 
WHERE "labels"."known_at" >= TIMESTAMP WITH TIME ZONE '2013-04-02 23:00:00.250001+00:00' AND "labels"."known_at" < TIMESTAMP WITH TIME ZONE '2013-04-03 00:00:00.250001+00:00') AS fresh ON said.k0 = fresh.k0) AS landed) AS each GROUP BY each.hour;

