SELECT count(*) AS count_1 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= TIMESTAMP '2013-04-01 10:00:00' AND "logs"."predictions"."naive" < TIMESTAMP '2013-04-01 13:00:00';

WITH drawn AS 
(SELECT CAST("logs"."predictions"."distance" AS DOUBLE PRECISION) AS c0, CAST("logs"."predictions"."carrier" AS TEXT) AS c1, CAST("logs"."predictions"."score" AS DOUBLE PRECISION) AS c2, "logs"."predictions"."naive" AS c3, "logs"."predictions"."id" AS k0, CAST(round(epoch("logs"."predictions"."naive") * 1.00000000000000000e+06) AS BIGINT) AS moment, CASE WHEN ("logs"."predictions"."naive" < TIMESTAMP '2013-04-02 22:00:00.250001') THEN FALSE END AS absent, md5('7' || '' || coalesce(CAST("logs"."predictions"."id" AS TEXT), '')) AS lot 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= TIMESTAMP '2013-04-01 10:00:00' AND "logs"."predictions"."naive" < TIMESTAMP '2013-04-01 13:00:00' ORDER BY lot, c0, c1, c2, c3 
 LIMIT 100)
 SELECT drawn.c0, drawn.c1, drawn.c2, drawn.c3, coalesce(newest.label, drawn.absent) AS label 
FROM drawn LEFT OUTER JOIN (SELECT ranked.k0 AS k0, ranked.moment AS moment, ranked.label AS label 
FROM (SELECT "labels"."id" AS k0, wanted.moment AS moment, "labels"."y" AS label, row_number() OVER (PARTITION BY "labels"."id", wanted.moment ORDER BY "labels"."known_at" IS NULL, "labels"."known_at" DESC, rtrim("labels"."zulu", 'Zz') DESC, "labels"."y" IS NULL, CAST("labels"."y" AS TEXT) DESC) AS place 
FROM "labels" JOIN (SELECT DISTINCT drawn.k0 AS k0, drawn.moment AS moment 
FROM drawn) AS wanted ON "labels"."id" = wanted.k0 
WHERE rtrim("labels"."zulu", 'Zz') < '2013-04-03T00:00:00.250001' AND "labels"."known_at" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "labels"."known_at" < TIMESTAMP WITH TIME ZONE '2013-04-01 14:00:00+00:00' AND CAST(round(epoch("labels"."known_at") * 1.00000000000000000e+06) AS BIGINT) >= wanted.moment AND CAST(round(epoch("labels"."known_at") * 1.00000000000000000e+06) AS BIGINT) - wanted.moment <= 3600000000) AS ranked 
WHERE ranked.place = 1) AS newest ON drawn.k0 = newest.k0 AND drawn.moment = newest.moment ORDER BY drawn.lot, drawn.c0, drawn.c1, drawn.c2, drawn.c3;

