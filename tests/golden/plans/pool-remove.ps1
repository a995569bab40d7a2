# Takes the XMPP gateway xmppgw.contoso.example out of the topology again.
# Run in the Lync Server or Skype for Business Server Management Shell, as a
# member of RTCUniversalServerAdmins (and, for Enable-CsTopology, of Domain
# Admins).
# NOT TRIED ON A SERVER: read it before you run it, and keep the script that
# takes it back at hand.
# Running it again does no harm.

$ErrorActionPreference = 'Stop'

$gateway      = 'xmppgw.contoso.example'
$application  = 'sallyport'
$collection   = 'global'
$domains      = @(
    'partner.example',
    'b.example'
)
$port         = 5061

function Get-RoutesOf($domain) {
    $all = (Get-CsStaticRoutingConfiguration -Identity $collection -ErrorAction SilentlyContinue).Route
    @($all | Where-Object { $_ -and $_.MatchUri -eq $domain })
}

function Test-Ours($route) {
    "$($route.Transport) $($route.Element)" -match ('Fqdn="?' + [regex]::Escape($gateway) + '("|;|,|\s|$)')
}

# No new message may come before its way is gone: routes first.
foreach ($domain in $domains) {
    foreach ($route in (Get-RoutesOf $domain)) {
        if (Test-Ours $route) {
            Set-CsStaticRoutingConfiguration -Identity $collection -Route @{Remove=$route} -Confirm:$false
        } else {
            Write-Warning "The static route for $domain leads elsewhere; it stays."
        }
    }
}
$left = @((Get-CsStaticRoutingConfiguration -Identity $collection -ErrorAction SilentlyContinue).Route |
    Where-Object { $_ -and (Test-Ours $_) })
if ($left.Count -gt 0) {
    $names = ($left | ForEach-Object { $_.MatchUri }) -join ', '
    throw "Routes to the gateway remain ($names): the gateway stays trusted. List these domains with --partners and run the new script."
}
$urn = "$gateway/urn:application:$application"
if (Get-CsTrustedApplication -Identity $urn -ErrorAction SilentlyContinue) {
    Remove-CsTrustedApplication -Identity $urn -Force -Confirm:$false
}
$others = @(Get-CsTrustedApplication -ErrorAction SilentlyContinue |
    Where-Object { $_.TrustedApplicationPoolFqdn -eq $gateway })
if ($others.Count -gt 0) {
    Write-Warning "$gateway has further applications; the trusted application pool stays."
} elseif (Get-CsTrustedApplicationPool -Identity $gateway -ErrorAction SilentlyContinue) {
    # Takes its computers along.
    Remove-CsTrustedApplicationPool -Identity $gateway -Force -Confirm:$false
}
Enable-CsTopology -Confirm:$false
