SELECT "each"."hour", count(*) AS "count_1" 
FROM (SELECT CAST(floor(CAST(CASE WHEN (abs(CAST(datediff(microsecond, '1970-01-01'::timestamp, CAST(timezone('UTC', "landed"."c0") AS TIMESTAMP WITHOUT TIME ZONE)) AS DOUBLE PRECISION) / CAST('1.0000000000000000e+06'::float8 AS DOUBLE PRECISION)) < '1.0000000000000000e+11'::float8) THEN CAST(round((CAST(datediff(microsecond, '1970-01-01'::timestamp, CAST(timezone('UTC', "landed"."c0") AS TIMESTAMP WITHOUT TIME ZONE)) AS DOUBLE PRECISION) / CAST('1.0000000000000000e+06'::float8 AS DOUBLE PRECISION)) * '1.0000000000000000e+06'::float8) AS BIGINT) END AS DOUBLE PRECISION) / CAST('3.6000000000000000e+09'::float8 AS DOUBLE PRECISION)) AS BIGINT) AS "hour" 
FROM (SELECT "said"."c0" AS "c0" 
FROM (SELECT "logs"."predictions"."ts" AS "c0", "logs"."predictions"."id" AS "k0" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-02 21:00:00.250000+00:00'::timestamptz AND "logs"."predictions"."ts" < '2013-04-03 00:00:00.250000+00:00'::timestamptz) AS "said" JOIN (SELECT DISTINCT "labels"."id" AS "k0" 
FROM "labels" 
WHERE "labels"."known_at" >= '2013-04-02 23:00:00.250001+00:00'::timestamptz AND "labels"."known_at" < '2013-04-03 00:00:00.250001+00:00'::timestamptz) AS "fresh" ON "said"."k0" = "fresh"."k0") AS "landed") AS "each" GROUP BY "each"."hour";

