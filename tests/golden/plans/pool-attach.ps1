# Attaches the XMPP gateway xmppgw.contoso.example to the pool pool.contoso.example.
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
$nodes        = @(
    'xmppgw.contoso.example'
)
$registrar    = 'pool.contoso.example'
$site         = '1'
$port         = 5061

function Get-RoutesOf($domain) {
    $all = (Get-CsStaticRoutingConfiguration -Identity $collection -ErrorAction SilentlyContinue).Route
    @($all | Where-Object { $_ -and $_.MatchUri -eq $domain })
}

function Test-Ours($route) {
    "$($route.Transport) $($route.Element)" -match ('Fqdn="?' + [regex]::Escape($gateway) + '("|;|,|\s|$)')
}

foreach ($domain in $domains) {
    foreach ($route in (Get-RoutesOf $domain)) {
        if (-not (Test-Ours $route)) {
            throw "A static route for $domain leads elsewhere; nothing was changed."
        }
    }
    if (Get-CsAllowedDomain -Identity $domain -ErrorAction SilentlyContinue) {
        Write-Warning "$domain is also an allowed SIP domain: the Edge Server would compete with this route. Remove it with Remove-CsAllowedDomain."
    }
    if (Get-CsSipDomain -Identity $domain -ErrorAction SilentlyContinue) {
        Write-Warning "$domain is a SIP domain of this deployment: its own users are tried first, the route comes after."
    }
}

# Who may speak SIP to the pool.
if (-not (Get-CsTrustedApplicationPool -Identity $gateway -ErrorAction SilentlyContinue)) {
    New-CsTrustedApplicationPool -Identity $gateway -ComputerFqdn $nodes[0] `
        -Registrar $registrar -Site $site -RequiresReplication $false `
        -ThrottleAsServer $true -TreatAsAuthenticated $true -OutboundOnly $false `
        -Confirm:$false -Force | Out-Null
}
foreach ($node in $nodes) {
    $there = Get-CsTrustedApplicationComputer -Pool $gateway -ErrorAction SilentlyContinue |
        Where-Object { $_.Identity -eq $node -or $_.Fqdn -eq $node }
    if (-not $there) {
        New-CsTrustedApplicationComputer -Identity $node -Pool $gateway -Confirm:$false | Out-Null
    }
}
$urn = "$gateway/urn:application:$application"
if (-not (Get-CsTrustedApplication -Identity $urn -ErrorAction SilentlyContinue)) {
    New-CsTrustedApplication -ApplicationId $application -TrustedApplicationPoolFqdn $gateway `
        -Port $port -Confirm:$false | Out-Null
}
Enable-CsTopology -Confirm:$false

# Where messages for partners go.  A pool that has routes of its own does not
# look at the global ones.
if (-not (Get-CsStaticRoutingConfiguration -Identity $collection -ErrorAction SilentlyContinue)) {
    New-CsStaticRoutingConfiguration -Identity $collection -Confirm:$false | Out-Null
}
foreach ($domain in $domains) {
    if ((Get-RoutesOf $domain).Count -eq 0) {
        $route = New-CsStaticRoute -TLSRoute -Destination $gateway -Port $port `
            -MatchUri $domain -UseDefaultCertificate $true
        Set-CsStaticRoutingConfiguration -Identity $collection -Route @{Add=$route} -Confirm:$false
    }
}

Get-CsTrustedApplicationPool -Identity $gateway | Format-List Identity, Registrar, Computers, Applications
(Get-CsStaticRoutingConfiguration -Identity $collection).Route |
    Where-Object { $_ -and (Test-Ours $_) } | Format-Table MatchUri, Enabled, Transport -AutoSize
