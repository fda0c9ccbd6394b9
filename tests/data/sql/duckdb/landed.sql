SELECT each.place, count(*) AS count_1 
FROM (SELECT CASE WHEN (landed.c0 < TIMESTAMP WITH TIME ZONE '2013-04-02 23:00:00+00:00') THEN CASE WHEN (landed.c0 < TIMESTAMP WITH TIME ZONE '2013-04-02 22:00:00+00:00') THEN 0 ELSE 1 END ELSE CASE WHEN (landed.c0 < TIMESTAMP WITH TIME ZONE '2013-04-03 00:00:00+00:00') THEN 2 ELSE 3 END END AS place 
FROM (SELECT said.c0 AS c0 
FROM (SELECT "logs"."predictions"."ts" AS c0, "logs"."predictions"."id" AS k0 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-02 21:00:00.250000+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-03 00:00:00.250000+00:00') AS said JOIN (SELECT DISTINCT "labels"."id" AS k0 
FROM "labels" 
WHERE "labels"."known_at" >= TIMESTAMP WITH TIME ZONE '2013-04-02 23:00:00.250001+00:00' AND "labels"."known_at" < TIMESTAMP WITH TIME ZONE '2013-04-03 00:00:00.250001+00:00') AS fresh ON said.k0 = fresh.k0) AS landed) AS each GROUP BY each.place;

